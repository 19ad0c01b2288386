/** What all outputs over HTTP have in common, as a configuration writes it. */
import * as z from "zod";
import { alsoWithIssues } from "../config/checks.ts";
import { callUrl, headerValue, sentFields } from "../config/fields.ts";
import { duration, option, readableFile, type Scalar, scalar, size, text } from "../config/scalars.ts";
import { clientTlsSchema, toClientTls } from "../config/tls-options.ts";

export type Compression = "gzip" | "zstd" | "none";

function proxyUrl(): Scalar<string> {
  return scalar({ title: "URL", example: "http://proxy.example:3128", type: "string" }, (value) => {
    const url = /^http:\/\/[^/?#]/i.test(String(value)) ? URL.parse(String(value)) : null;
    if (url !== null && url.pathname === "/" && url.search === "" && url.hash === "") return { value: url.href };
    return { problem: "this is not the URL of a proxy", remedy: "write http:// with the proxy's host and port" };
  });
}

const waysIn = ["basic", "bearer", "bearerFile", "apiKey"] as const;

function authSchema() {
  return z
    .strictObject({
      basic: option(
        z.strictObject({
          user: option(text("user", "collector"), "The user.", { required: true }),
          password: option(text("password", '"${file:/secrets/password}"'), "The password.", { required: true }),
        }),
        "A user and a password.",
      ).optional(),
      bearer: option(headerValue(), "A bearer token; best by reference: `${file:/secrets/token}`.").optional(),
      bearerFile: option(
        readableFile("/var/run/secrets/tokens/logs"),
        "A file that holds a bearer token. It is read again whenever it changes.",
      ).optional(),
      apiKey: option(headerValue(), "An API key as Elasticsearch has it: base64 of `id:key`.").optional(),
    })
    .check(
      alsoWithIssues<Record<string, unknown>>((payload) => {
        const given = waysIn.filter((name) => payload.value[name] !== undefined);
        if (given.length === 1) return;
        const message = given.length === 0 ? "nothing says who we are" : `${given.join(" and ")} exclude each other`;
        const params = { remedy: `write one of ${waysIn.join(", ")}` };
        payload.issues.push({ code: "custom", input: payload.value, message, params });
      }),
    );
}

/** The options every output over HTTP has; each call makes new ones. @param url a right one, for the reference */
export function httpShape(url: string, urlDoc: string, compress: Compression) {
  return {
    url: option(callUrl(url), urlDoc, { required: true }),
    headers: option(sentFields(), "More header fields of each request, as `name: value`.").prefault({}),
    auth: option(authSchema(), "Who we are to the destination.").optional(),
    tls: option(
      clientTlsSchema("the host of `url`").transform(toClientTls),
      "How an `https://` destination is trusted, and who we are to it. The files are read for each new connection.",
    ).optional(),
    proxy: option(
      proxyUrl(),
      "A proxy on the way, as `http://user:password@host:port`; `https://` goes through it in a tunnel. Variables of the environment name none.",
    ).optional(),
    timeouts: option(timeoutsSchema(), "How long a request may take.").prefault({}),
    compress: option(
      z.enum(["gzip", "zstd", "none"]),
      "How bodies are compressed, at level 1. Not every destination takes `zstd`.",
    ).prefault(compress),
  };
}

function timeoutsSchema() {
  return z.strictObject({
    connect: option(duration(1), "Until the destination accepted the connection, TLS included.").prefault("5s"),
    request: option(duration(1), "Until its answer is complete.").prefault("60s"),
  });
}

export type HttpOptions = z.output<z.ZodObject<ReturnType<typeof httpShape>>>;

/** Names of fields; a path of names with dots between them leads into nested ones. */
export function fieldNames() {
  return z.array(z.string().min(1)).meta({ title: "list of field names" });
}

/** The longest line a destination takes. */
export function lineSize(fallback: string) {
  return size()
    .refine((bytes) => bytes >= 1024, { error: "is too small for a line", params: { remedy: "write at least 1KiB" } })
    .prefault(fallback);
}

/** Options of outputs whose lines become JSON objects. */
export function documentShape() {
  return {
    messageField: z
      .string()
      .min(1)
      .default("message")
      .describe("The member that a line becomes which was not parsed and is no JSON object."),
    pathField: z
      .string()
      .min(1)
      .optional()
      .describe("The member that names the file, such as `log.file.path`. Default: none does."),
  };
}
