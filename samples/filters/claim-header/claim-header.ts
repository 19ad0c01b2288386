/**
 * Sets a header from a claim of the caller's JWT, so that the app need not read tokens.
 *
 * !! This filter DECODES the token and does NOT VERIFY it: anybody can write any claim into a token. Use it only behind
 * !! something that has verified the signature, the issuer, the audience and the expiry of every token that gets here
 * !! (a gateway, a mesh, a filter before this one). Never let the app grant rights by this header otherwise.
 */
import { defineFilter } from "outrigger";
import * as z from "outrigger/zod";

export default defineFilter({
  doc: "Sets a header from a claim of the bearer token, which must have been verified before.",
  phase: "shape",
  directions: ["inbound"],
  config: z.strictObject({
    claim: z.string().default("sub"),
    header: z.string().default("x-user"),
  }),
  request(x, { claim, header }) {
    // First of all: a client must not be able to set the header itself.
    x.removeHeader(header);
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]*)$/i.exec(x.header("authorization") ?? "")?.[1];
    const value = token === undefined ? undefined : claimOf(token, claim);
    if (value !== undefined) x.setHeader(header, value);
  },
});

/** The claim's text, if it is one that may stand in a header. */
function claimOf(token: string, claim: string): string | undefined {
  try {
    const claims: unknown = JSON.parse(decode(token.split(".")[1] ?? ""));
    const value = typeof claims === "object" && claims !== null ? Reflect.get(claims, claim) : undefined;
    const isShown = typeof value === "string" && /^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(value);
    return isShown ? value : undefined;
  } catch {
    return undefined; // not JSON: no claim
  }
}

/** Base64url, as RFC 7515 section 2 has it, of UTF-8. */
function decode(part: string): string {
  const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
