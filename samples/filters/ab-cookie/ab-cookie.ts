/**
 * Puts each client into variant a or b and keeps it there by a cookie. The app sees `x-variant`; a route may also
 * match the cookie, as `outrigger.yaml` beside this file does, so that b is another app from the second request on.
 */
import { defineFilter } from "outrigger";
import * as z from "outrigger/zod";

const fresh = "ab-cookie: chosen now";

export default defineFilter({
  doc: "Puts each client into variant a or b, and keeps it there by a cookie.",
  phase: "shape",
  directions: ["inbound"],
  config: z.strictObject({
    cookie: z
      .string()
      .regex(/^[\w-]+$/)
      .default("variant"),
    /** The share of new clients that get b. */
    share: z.number().min(0).max(1).default(0.5),
  }),
  request(x, { cookie, share }) {
    const known = cookieOf(x.header("cookie"), cookie);
    const isKnown = known === "a" || known === "b";
    const variant = isKnown ? known : Math.random() < share ? "b" : "a";
    if (!isKnown) x.notes.set(fresh, variant);
    x.setHeader("x-variant", variant);
  },
  response(x, { cookie }) {
    const variant = x.notes.get(fresh);
    if (variant === undefined) return;
    x.response.appendHeader("set-cookie", `${cookie}=${variant}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax`);
  },
});

function cookieOf(field: string | undefined, name: string): string | undefined {
  const pair = field?.split(/; */).find((one) => one.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}
