import * as z from "zod";
import { peer } from "../config/peer.ts";
import { duration, option, size } from "../config/scalars.ts";
import { clientTlsSchema, toClientTls } from "../config/tls-options.ts";
import { defineLogOutput } from "../contracts.ts";

/** RFC 5424 section 6.2.1, in order; the numbers are the places. */
const facilities = [
  "kern",
  "user",
  "mail",
  "daemon",
  "auth",
  "syslog",
  "lpr",
  "news",
  "uucp",
  "cron",
  "authpriv",
  "ftp",
  "ntp",
  "security",
  "console",
  "solaris-cron",
  "local0",
  "local1",
  "local2",
  "local3",
  "local4",
  "local5",
  "local6",
  "local7",
] as const;

/** RFC 5424 section 6.3.2: printable ASCII without `=`, space, `]` and `"`; a name of one's own has `@` and a number. */
const sdId = z.string().regex(/^[!#-<>-\\^-~]{1,32}$/, "must be an SD-ID such as meta@32473");
const template = (doc: string, usual: string) => option(z.string().max(255), doc, { default: usual });

const options = z.strictObject({
  address: option(peer(), "Host and port of the receiver.", { required: true }),
  protocol: option(
    z.enum(["tcp", "relp"]),
    "`tcp`: plain syslog (RFC 6587), which has no acknowledgement: see `confirm`. `relp`: the receiver acknowledges each message; rsyslog's imrelp and others speak it.",
  ).prefault("tcp"),
  tls: option(clientTlsSchema(), "Speak TLS (RFC 5425); `{}` trusts the machine's CAs.").optional(),
  confirm: option(
    z.enum(["received", "read"]),
    "With `tcp`, when lines count as delivered. `received`: when the receiver's kernel has acknowledged every byte and the connection stands; what the receiver had not read when it died is lost. `read`: each batch has a connection of its own, and counts once the receiver has read it to its end and closed it.",
  ).prefault("received"),
  framing: option(
    z.enum(["counted", "newline"]),
    "How messages are told apart (RFC 6587). `counted`: by their length. `newline`: for receivers that cannot; a newline within a message becomes `#012`.",
  ).prefault("counted"),
  format: option(
    z.enum(["rfc5424", "rfc3164"]),
    "Of messages. `rfc3164`, for old receivers: no year, no structured data, times in UTC.",
  ).prefault("rfc5424"),
  facility: option(z.enum(facilities), "What messages are filed under.").prefault("user"),
  severity: option(
    z.enum(["trace", "debug", "info", "warn", "error", "fatal"]),
    "Of lines in which no transform found one.",
  ).prefault("info"),
  hostname: template(
    "HOSTNAME. May have the places of `file`'s path, like the three after it.",
    "the machine's, which is the pod's",
  ).optional(),
  appName: template("APP-NAME.", "the name of the entry").prefault("{input}"),
  procId: template("PROCID.", "none").prefault(""),
  msgId: template("MSGID.", "none").prefault(""),
  message: option(
    z.string().min(1),
    "The field of parsed records that is the message; where there is none it is all fields, as JSON.",
  ).optional(),
  structuredData: option(
    z.record(sdId, z.array(z.string().min(1)).min(1)),
    "Structured data: names of fields by SD-ID, such as `{ meta@32473: [app, trace_id] }`. A record's own fields come before the entry's.",
  ).prefault({}),
  maxMessage: option(
    size(),
    "Bytes of the longest message the receiver takes. rsyslog takes 8 KiB unless its `maxMessageSize` says otherwise, syslog-ng 64 KiB.",
  ).prefault("8KiB"),
  longer: option(
    z.enum(["cut", "reject"]),
    "What becomes of longer ones: `cut`, and the bytes left out are counted; or `reject`, so that they go to the dead letters.",
  ).prefault("cut"),
  connectTimeout: option(duration(1), "For connecting, TLS included.").prefault("10s"),
  timeout: option(duration(1), "How long to wait for the receiver to take, acknowledge or answer anything.").prefault(
    "30s",
  ),
});

/** Sends lines as syslog messages; the engines are `_syslog-sender` and `_relp`. */
export default defineLogOutput({
  name: "syslog",
  doc: "Sends each line as a syslog message over TCP, TLS or RELP.",
  config: options,
  metrics: {
    outrigger_log_syslog_cut_bytes_total: {
      kind: "counter",
      doc: "Bytes left out at the end of messages longer than `maxMessage`.",
      labels: ["output"],
    },
  },
  explain: ({ address, protocol, tls, confirm }) => {
    const way = `${protocol === "relp" ? "RELP" : "syslog"}${tls === undefined ? "" : " and TLS"}`;
    const done =
      protocol === "relp" ? "it acknowledged each" : confirm === "read" ? "it has read them" : "its kernel has them";
    return `to ${address.host}:${address.port} by ${way}; lines are delivered once ${done}`;
  },
  async create(
    { address, protocol, tls, confirm, framing, maxMessage, longer, connectTimeout, timeout, ...more },
    context,
  ) {
    const { hostname } = await import("node:os");
    const message = {
      ...more,
      hostname: more.hostname ?? hostname(),
      message: more.message,
      facility: facilities.indexOf(more.facility),
    };
    const limits = { most: maxMessage, longer };
    const place = { ...address, tls: tls && toClientTls(tls), connectMs: connectTimeout, timeoutMs: timeout };
    if (protocol === "relp") {
      const { RelpSender } = await import("./_relp.ts");
      return new RelpSender({ ...place, message, limits }, context);
    }
    const { SyslogSender } = await import("./_syslog-sender.ts");
    return new SyslogSender({ ...place, message, limits, framing, confirm }, context);
  },
});
