/** The options of TLS and of what comes before it: on a listener, and towards an upstream. */
import * as z from "zod";
import type { TlsVersion } from "../net/server-tls.ts";
import { isIpv4, isIpv6 } from "./address.ts";
import { alsoWithIssues } from "./checks.ts";
import { option, readableFile, type Scalar, scalar } from "./scalars.ts";
import type { ListenerArrival, UpstreamPolicy } from "./schema.ts";

function pemFile(example: string): Scalar<string> {
  return readableFile(example);
}

function keyPairSchema() {
  return z.strictObject({
    cert: option(pemFile("/certs/tls.crt"), "PEM file: the certificate, then those that signed it.", {
      required: true,
    }),
    key: option(pemFile("/certs/tls.key"), "PEM file: its private key, not encrypted.", { required: true }),
  });
}

function clientsSchema() {
  return z.strictObject({
    ca: option(pemFile("/certs/ca.crt"), "PEM file: the CAs that sign clients' certificates.", { required: true }),
    required: option(
      z.boolean(),
      "False: a client may come without a certificate; a wrong one is refused all the same.",
    ).prefault(true),
  });
}

/** With quotes or without: YAML reads 1.2 as a number. */
function tlsVersion(): Scalar<TlsVersion> {
  const doc = { title: "TLS version", example: "1.2", type: ["string", "number"], pattern: "^1\\.[23]$" } as const;
  return scalar(doc, (value) => {
    const text = String(value);
    if (text === "1.2" || text === "1.3") return { value: text };
    return { problem: `TLS "${text}" is not spoken here`, remedy: "write 1.2 or 1.3" };
  });
}

/** `tls:` of a listener. */
export function serverTlsSchema() {
  return z.strictObject({
    certificates: option(
      z.array(keyPairSchema()).min(1),
      "One or several, chosen by the name a client asks for from the names in them; the first is for all others. A changed file is taken over while running.",
      { required: true },
    ),
    clients: option(clientsSchema(), "Ask clients for certificates (mutual TLS).").optional(),
    minVersion: option(tlsVersion(), "The oldest version of TLS that is spoken: 1.2 or 1.3.").prefault("1.2"),
  });
}

function hostName(): Scalar<string> {
  return scalar({ title: "host name", example: "payments.shop.svc", type: "string" }, (value) => {
    const text = String(value).toLowerCase().replace(/\.$/, "");
    if (
      /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(text) ||
      isIpv4(text) ||
      isIpv6(text)
    )
      return { value: text };
    return { problem: `"${value}" is not a host name`, remedy: "write the name that stands in the certificate" };
  });
}

/** Trust and identity of a TLS client. @param nameDefault whose name is expected where nothing is said */
export function clientTlsSchema(nameDefault = "the host of the address") {
  return z
    .strictObject({
      ca: option(pemFile("/certs/ca.crt"), "PEM file: the CAs whose certificates are trusted.", {
        default: "the machine's",
      }).optional(),
      serverName: option(hostName(), "The name that is asked for, and that the certificate must be for.", {
        default: nameDefault,
      }).optional(),
      cert: option(pemFile("/certs/client.crt"), "PEM file: a client certificate to show. Needs `key`.").optional(),
      key: option(pemFile("/certs/client.key"), "PEM file: its private key, not encrypted.").optional(),
      insecure: option(
        z.boolean(),
        "True: every certificate is taken, so whoever is on the way can read and change everything. For tests.",
      ).prefault(false),
    })
    .check(
      alsoWithIssues<{ cert?: unknown; key?: unknown }>((payload) => {
        const { cert, key } = payload.value;
        if ((cert === undefined) === (key === undefined)) return;
        const [given, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
        const message = `${given} has no ${missing}`;
        payload.issues.push({
          code: "custom",
          input: payload.value,
          message,
          params: { remedy: `add ${missing}: with a path` },
        });
      }),
    );
}

/** `upstream:` of a listener or route. */
export function upstreamSchema() {
  return z.strictObject({
    protocol: option(
      z.enum(["http1", "http2", "auto"]),
      "What is spoken with `to`: `http1`, `http2`, or `auto`: over TLS what both sides can best, by ALPN; else as the client of each request speaks.",
      { default: "`http1` for `http://` and `unix:`, `http2` for `h2c://`, `auto` for `https://`" },
    ).optional(),
    tls: option(clientTlsSchema(), "How an `https://` upstream is trusted, and who we are to it.").optional(),
    proxyProtocol: option(
      z.enum(["v1", "v2"]),
      "Begin each connection with a PROXY header that names the client. It is used again only for that client's connection.",
    ).optional(),
  });
}

/** What a listener says of how its connections begin. */
export function arrivalShape() {
  return {
    protocol: option(
      z.enum(["http", "tcp", "tls", "auto"]),
      "What clients speak. `tcp`: bytes go `to: tcp://host:port` as they are. `tls`: likewise, still encrypted, by the server name that the client asks for (`match: { sni }`). `auto` looks at the first bytes: HTTP is served, TLS ends here when `tls` is set, and other bytes go by the routes to `tcp://`, `tls://` and `original`.",
      { default: "`http`; with `capture`, `auto`" },
    ).optional(),
    proxyProtocol: option(
      z.boolean(),
      "True: each connection begins with a PROXY header, version 1 or 2, of a peer in `trust`; others are turned away.",
    ).prefault(false),
    tls: option(serverTlsSchema(), "Speak TLS with clients.").optional(),
  };
}

type ArrivalOptions = z.output<z.ZodObject<ReturnType<typeof arrivalShape>>> & { readonly capture: boolean };
type UpstreamOptions = z.output<ReturnType<typeof upstreamSchema>>;
type ClientTlsOptions = z.output<ReturnType<typeof clientTlsSchema>>;

/** Undefined where a connection begins with a request. */
export function toArrival(options: ArrivalOptions): ListenerArrival | undefined {
  const { capture, protocol = capture ? "auto" : "http", proxyProtocol, tls } = options;
  if (protocol === "http" && !proxyProtocol && tls === undefined) return undefined;
  return { protocol, proxyProtocol, tls: tls && { ...tls, clients: tls.clients } };
}

/** The route's own options over its listener's. */
export function toUpstreamPolicy(given: UpstreamOptions | undefined, over: UpstreamPolicy | undefined) {
  const { protocol = over?.protocol, tls, proxyProtocol } = given ?? {};
  const policy: UpstreamPolicy = {
    protocol,
    tls: tls === undefined ? over?.tls : toClientTls(tls),
    proxyProtocol: proxyProtocol === undefined ? over?.proxyProtocol : proxyProtocol === "v1" ? 1 : 2,
  };
  return Object.values(policy).every((value) => value === undefined) ? undefined : policy;
}

/** What was read, as connections want it: plain data, with nothing left out. */
export function toClientTls({ ca, serverName, cert, key, insecure }: ClientTlsOptions) {
  const identity = cert === undefined || key === undefined ? undefined : { cert, key };
  return { ca, serverName, identity, insecure };
}
