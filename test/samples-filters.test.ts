/** The filters of `samples/filters`, each with its own configuration and real traffic through a sidecar of its own. */
import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redactor } from "../samples/filters/redact-field/redactor.ts";
import { freePort } from "./kit/free-port.ts";
import { type Seeded, seeded, seedOf } from "./kit/random.ts";
import { Pod, type SidecarProcess } from "./kit/sidecar-process.ts";
import { until } from "./kit/until.ts";

const samples = join(import.meta.dirname, "../samples/filters");
const pods: Pod[] = [];
const apps: { stop(force: boolean): unknown }[] = [];

afterAll(async () => {
  for (const app of apps) app.stop(true);
  await Promise.all(pods.map((pod) => pod.remove()));
});

/** Starts a sample as it stands, its ports replaced: `8080` is where it listens, the others are apps. */
async function start(sample: string, answers: Record<string, (request: Request) => Response>) {
  const pod = new Pod();
  pods.push(pod);
  cpSync(join(samples, sample), pod.folder, { recursive: true });
  let text = readFileSync(join(samples, sample, "outrigger.yaml"), "utf8");
  for (const [port, fetch] of Object.entries(answers)) {
    const app = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch });
    apps.push(app);
    expect(text).toContain(port);
    text = text.replaceAll(port, String(app.port));
  }
  const listen = freePort();
  text = text.replace(/listen: .*/, `listen: 127.0.0.1:${listen}`);
  const sidecar: SidecarProcess = await pod.start(text);
  return { pod, sidecar, url: `http://127.0.0.1:${listen}` };
}

test("claim-header sets the header from the claim, and never lets the client set it", async () => {
  const { url } = await start("claim-header", {
    7878: (request) => new Response(request.headers.get("x-user") ?? "nobody"),
  });
  const token = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig`;
  const ask = async (headers: Record<string, string>) => (await fetch(url, { headers })).text();
  expect(await ask({ authorization: `Bearer ${token({ sub: "ada" })}` })).toBe("ada");
  expect(await ask({ authorization: `Bearer ${token({ sub: "a\r\nb: c" })}`, "x-user": "root" })).toBe("nobody");
  expect(await ask({ authorization: `Bearer ${token({ sub: { a: 1 } })}` })).toBe("nobody");
  expect(await ask({ authorization: "Bearer e30.%%%.x", "x-user": "root" })).toBe("nobody");
  expect(await ask({ "x-user": "root" })).toBe("nobody");
});

test("ab-cookie gives a variant, keeps it, and the route follows the cookie", async () => {
  const app = (name: string) => (request: Request) => new Response(`${name}:${request.headers.get("x-variant")}`);
  const { url } = await start("ab-cookie", { 7879: app("b"), 7878: app("a") });
  const seen = new Set<string>();
  for (let i = 0; i < 400 && seen.size < 2; i++) {
    const answer = await fetch(url);
    const variant = /variant=([ab]);/.exec(answer.headers.get("set-cookie") ?? "")?.[1] ?? "";
    seen.add(variant);
    expect(await answer.text()).toBe(`a:${variant}`); // the cookie is not there yet: the first route that fits is a
  }
  expect([...seen].sort()).toEqual(["a", "b"]);
  for (const variant of ["a", "b"]) {
    const answer = await fetch(url, { headers: { cookie: `x=1; variant=${variant}` } });
    expect(answer.headers.get("set-cookie")).toBeNull();
    expect(await answer.text()).toBe(`${variant}:${variant}`);
  }
});

describe("redact-field", () => {
  test("replaces the members of an answer that streams", async () => {
    const json = JSON.stringify({
      user: { password: 'a"b\\', name: "Ada", ssn: [1, { password: 2 }] },
      password: null,
    });
    const pieces = json.match(/.{1,7}/gs)!;
    const { url } = await start("redact-field", {
      7878: (request) => {
        if (request.url.endsWith("/text")) return new Response(json, { headers: { "content-type": "text/plain" } });
        if (request.url.endsWith("/zip"))
          return new Response(Bun.gzipSync(json), {
            headers: { "content-type": "application/json", "content-encoding": "gzip" },
          });
        const stream = new ReadableStream({
          async start(controller) {
            for (const piece of pieces) {
              controller.enqueue(new TextEncoder().encode(piece));
              await Bun.sleep(2);
            }
            controller.close();
          },
        });
        return new Response(stream, { headers: { "content-type": "application/json; charset=utf-8" } });
      },
    });
    const hidden = "[redacted]";
    const redacted = { user: { password: hidden, name: "Ada", ssn: hidden }, password: hidden };
    expect(await (await fetch(url)).json()).toEqual(redacted);
    expect(await (await fetch(`${url}/text`)).text()).toBe(json);
    expect((await fetch(`${url}/zip`)).status).toBe(502);
  });

  test("does so wherever the borders between chunks are, for any document", () => {
    const random = seeded(seedOf("redact-field"));
    for (let round = 0; round < 300; round++) {
      const { given, wanted } = documents(random);
      const bytes = Buffer.from(JSON.stringify(given, null, random.whole(3)));
      const redactor = new Redactor(new Set(["secret", 'q"q']), "***");
      let out = "";
      const decoder = new TextDecoder();
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + random.whole(9);
        out += decoder.decode(redactor.pass(bytes.subarray(at, end)), { stream: true });
        at = end;
      }
      expect({ seed: random.seed, parsed: JSON.parse(out) }).toEqual({ seed: random.seed, parsed: wanted });
    }
  });
});

/** A random document, and what it should become. */
function documents(random: Seeded, depth = 0): { given: unknown; wanted: unknown } {
  const kind = random.whole(depth > 3 ? 4 : 6);
  if (kind === 4) {
    const items = Array.from({ length: random.whole(4) }, () => documents(random, depth + 1));
    return { given: items.map(({ given }) => given), wanted: items.map(({ wanted }) => wanted) };
  }
  if (kind === 5) {
    const entries = Array.from({ length: random.whole(4) }, (_, at) => {
      const name = random.pick(["secret", 'q"q', `other${at}`, "secre", "ſecret", `secret${at}`]);
      return { name, ...documents(random, depth + 1) };
    });
    const isHidden = (name: string) => name === "secret" || name === 'q"q';
    return {
      given: Object.fromEntries(entries.map(({ name, given }) => [name, given])),
      wanted: Object.fromEntries(entries.map(({ name, wanted }) => [name, isHidden(name) ? "***" : wanted])),
    };
  }
  const value = random.pick<unknown>([1, -2.5e10, true, null, "", 'a"b', "\\", '","secret":"', "é€𝄞", "{[", "]}"]);
  return { given: value, wanted: value };
}

test("stub-answers answers from its file, and from the changed file without a restart", async () => {
  const { pod, url, sidecar } = await start("stub-answers", { 7878: () => new Response("from the app") });
  const answer = await fetch(`${url}/users/1`);
  expect([answer.headers.get("x-stubbed"), await answer.json()]).toEqual(["true", { id: 1, name: "Ada" }]);
  expect((await fetch(`${url}/payments`, { method: "POST" })).status).toBe(503);
  expect(await (await fetch(`${url}/other`)).text()).toBe("from the app");
  writeFileSync(join(pod.folder, "stubs.json"), JSON.stringify({ "GET /users/1": { body: "changed" } }));
  await until(async () => (await (await fetch(`${url}/users/1`)).text()) === '"changed"', { what: "the new answer" });
  expect(sidecar.count("config_rejected")).toBe(0);
});
