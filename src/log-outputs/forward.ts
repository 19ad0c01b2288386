import * as z from "zod";
import { peer } from "../config/peer.ts";
import { duration, option, text } from "../config/scalars.ts";
import { clientTlsSchema, toClientTls } from "../config/tls-options.ts";
import { defineLogOutput } from "../contracts.ts";

function userSchema() {
  return z.strictObject({
    name: option(text("name", "shop"), "The user.", { required: true }),
    password: option(text("password", '"${file:/secrets/password}"'), "Its password; a reference, not the text.", {
      required: true,
    }),
  });
}

const options = z
  .strictObject({
    address: option(peer(24224), "Host and port of the receiver; the port is 24224 unless given.", { required: true }),
    tag: option(z.string().min(1), "The tag of lines. May have the places of `file`'s path.", {
      default: "the name of the entry",
    }).prefault("{input}"),
    message: option(z.string().min(1), "The field that holds the text of lines that were not parsed.").prefault(
      "message",
    ),
    gzip: option(z.boolean(), "Compress what is sent (CompressedPackedForward).").prefault(false),
    sharedKey: option(
      text("key", '"${file:/secrets/key}"'),
      "What both sides know and prove to each other; a reference, not the text.",
    ).optional(),
    user: option(userSchema(), "Where the receiver asks for users as well.").optional(),
    hostname: option(z.string().min(1), "Who we say we are, with a shared key.", {
      default: "the machine's name",
    }).optional(),
    tls: option(clientTlsSchema(), "Speak TLS; `{}` trusts the machine's CAs.").optional(),
    connectTimeout: option(duration(1), "For connecting, TLS included.").prefault("10s"),
    timeout: option(
      duration(1),
      "How long to wait until the receiver takes anything, or acknowledges a batch.",
    ).prefault("60s"),
  })
  .refine(({ user, sharedKey }) => user === undefined || sharedKey !== undefined, {
    message: "a user needs a shared key too",
    params: { remedy: "add sharedKey:" },
  });

/** Sends lines to Fluentd, Fluent Bit and others; the engine is `_forward-sender`. */
export default defineLogOutput({
  name: "forward",
  doc: "Sends lines to Fluentd, Fluent Bit or whatever else speaks the Fluent forward protocol; they are delivered once it has acknowledged them.",
  config: options,
  explain: ({ address, tls, sharedKey }) =>
    `to ${address.host}:${address.port} by the Fluent forward protocol${tls === undefined ? "" : " and TLS"}${sharedKey === undefined ? "" : ", with a shared key"}; lines are delivered once it acknowledged them`,
  async create({ address, tag, message, gzip, sharedKey, user, hostname, tls, connectTimeout, timeout }, context) {
    const os = await import("node:os");
    const { ForwardSender } = await import("./_forward-sender.ts");
    const login = sharedKey === undefined ? undefined : { sharedKey, user, hostname: hostname ?? os.hostname() };
    const place = { ...address, tls: tls && toClientTls(tls), connectMs: connectTimeout, timeoutMs: timeout };
    return new ForwardSender({ ...place, tag, message, gzip, login }, context);
  },
});
