/** One JSON line per exchange, refused ones too: who asked what, and what became of it. */
import { z } from "zod";
import { defineFilter, type Exchange } from "../contracts.ts";

const options = z
  .strictObject({
    headers: z
      .array(z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, "must be a header field name"))
      .default([])
      .describe(
        "Request header fields to log as well, under `headers`. Values of authorization, cookie and the like are never shown.",
      ),
    query: z
      .boolean()
      .default(false)
      .describe("Log the query of the target too. Off, as queries carry secrets more often than paths do."),
  })
  .describe("What an access line has besides the usual.");

type Options = z.infer<typeof options>;

/** Fields that carry credentials: shown as `redacted` (design section 7). */
const secret = /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key)$|token|secret|password/i;

export default defineFilter<Options>({
  name: "log-access",
  doc: "Writes one JSON line per exchange to the records on standard output.",
  phase: "observe",
  order: 100,
  directions: ["inbound", "outbound"],
  config: options,
  create(config, { clock, record }) {
    return {
      done(x) {
        record("access", line(x, config, clock.wall()));
      },
    };
  },
});

/** Written by hand in one piece: an object and its keys per exchange would cost more than the line. */
function line(x: Exchange, { headers, query }: Options, now: number): string {
  const status = x.response?.status ?? (x.failure === undefined ? 0 : 499);
  let text = `{"time":"${new Date(now).toISOString()}","direction":"${x.direction}","listener":${quote(x.listener)},"route":${quote(x.route)}`;
  text += `,"id":${quote(x.id)},"peer":"${x.peer.address}","method":${quote(x.method)},"host":${quote(x.authority)},"path":${quote(query ? x.target : x.path)}`;
  text += `,"status":${status},"durationMs":${Math.round(x.durationMs * 1000) / 1000},"bytesIn":${x.bytesIn},"bytesOut":${x.bytesOut}`;
  if (x.upstream !== undefined) text += `,"upstream":${quote(x.upstream)},"attempts":${x.attempts}`;
  if (x.failure !== undefined) text += `,"failure":"${x.failure}"`;
  if (headers.length > 0) text += `,"headers":${JSON.stringify(pick(x, headers))}`;
  return `${text}}`;
}

const plain = /^[\w\-.:/%?&=+,@~*]*$/;

/** Quotes for JSON; most values need no escape, and looking is cheaper than escaping. */
function quote(value: string): string {
  return plain.test(value) ? `"${value}"` : JSON.stringify(value);
}

function pick(x: Exchange, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = x.header(name);
    if (value !== undefined) found[name] = secret.test(name) ? "redacted" : value;
  }
  return found;
}
