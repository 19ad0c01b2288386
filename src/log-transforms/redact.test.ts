import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { mistake, parsed, record, TransformRun } from "../../test/kit/transform-run.ts";
import { Redaction } from "../logs/shaping/transforms/redaction.ts";
import { secretShapes } from "../logs/shaping/transforms/secret-shapes.ts";
import redact from "./redact.ts";

const make = (options: unknown = {}) => TransformRun.make(redact, options);
const counted = (run: TransformRun) => run.counts("outrigger_log_redactions_total");

describe("redact", () => {
  test("takes secrets out of text, and counts each by its shape", async () => {
    const run = await make();
    const made = run.apply(record("GET postgres://a:b@db password=x password=y from jane@mail.test"));
    expect(made?.text).toBe(
      "GET postgres://a:[redacted]@db password=[redacted] password=[redacted] from jane@mail.test",
    );
    expect(made?.fields).toBeUndefined();
    expect(counted(run)).toEqual({ urls: 1, keyValues: 2 });
  });

  test("leaves the bytes of a line alone in which there is nothing", async () => {
    const made = (await make()).apply(record("nothing to see, key=1 token 4111111111111112"));
    expect((made as { unchanged?: Uint8Array }).unchanged).toBeDefined();
  });

  test("takes them out of parsed fields at any depth, lists and numbers too, and out of the text behind them", async () => {
    const run = await make();
    const text = JSON.stringify({
      msg: "login password=x",
      user: { apiKey: "k1", pin_password: 1234, tokens: 17, max_tokens: 9 },
      calls: ["Bearer abcdef123456", { card: 4111111111111111, n: 1700000000000 }],
      ok: true,
      none: null,
    });
    const made = run.apply(parsed(text));
    expect(made?.fields).toEqual({
      msg: "login password=[redacted]",
      user: { apiKey: "[redacted]", pin_password: "[redacted]", tokens: 17, max_tokens: 9 },
      calls: ["Bearer [redacted]", { card: "[redacted]", n: 1700000000000 }],
      ok: true,
      none: null,
    });
    expect(JSON.parse(made!.text)).toEqual(made!.fields);
    expect(counted(run)).toEqual({ keyValues: 3, authorization: 1, cards: 1 });
  });

  test("finds what JSON writes in escapes", async () => {
    const made = (await make()).apply(parsed('{"a":"\\u0042earer abcdef123456","b":"x:\\/\\/u:secret1@h"}'));
    expect(made?.fields).toEqual({ a: "Bearer [redacted]", b: "x://u:[redacted]@h" });
    expect(made?.text).not.toContain("abcdef");
    expect(made?.text).not.toContain("secret1");
  });

  test("takes out of the text what no field has", async () => {
    const made = (await make()).apply(record("user=joe password=x", { fields: { user: "joe" } }));
    expect([made?.text, made?.fields]).toEqual(["user=joe password=[redacted]", { user: "joe" }]);
  });

  test("replaces named fields whatever they are, and nothing by that name elsewhere", async () => {
    const run = await make({ fields: ["user.mail", "body", "missing"], secrets: false, with: "-" });
    const made = run.apply(parsed('{"user":{"mail":"a@b.c","name":"x"},"mail":"d","body":{"deep":[1]}}'));
    expect(made?.fields).toEqual({ user: { mail: "-", name: "x" }, mail: "d", body: "-" });
    expect(made?.text).not.toContain("a@b.c");
    expect(counted(run)).toEqual({ field: 2 });
  });

  test("replaces what patterns match, each by its own text, `$` and all", async () => {
    const run = await make({ patterns: ["\\d{3}-\\d{2}-\\d{4}", { pattern: "^joe$", with: "$&" }], secrets: false });
    expect(run.apply(record("ssn 123-45-6789, 987-65-4321"))?.text).toBe("ssn [redacted], [redacted]");
    expect(run.apply(parsed('{"a":["joe","joey"],"b":"123-45-6789"}'))?.fields).toEqual({
      a: ["$&", "joey"],
      b: "[redacted]",
    });
    expect(counted(run)).toEqual({ pattern: 4 });
  });

  test("looks only for the shapes it is told", async () => {
    const run = await make({ secrets: ["emails"] });
    const made = run.apply(parsed('{"password":"p","to":"jane@mail.test"}'));
    expect(made?.fields).toEqual({ password: "p", to: "[redacted]" });
  });

  test("gives up on what is nested too deep, and not on the secrets in it", async () => {
    const run = await make();
    const deep = `${'{"a":'.repeat(5_000)}"Bearer abcdef123456"${"}".repeat(5_000)}`;
    const made = run.apply(parsed(deep));
    expect(JSON.stringify(made?.fields)).not.toContain("abcdef");
    expect(made?.text).not.toContain("abcdef");
    expect(counted(run)).toMatchObject({ depth: 1 });
  });

  test("replaces a record whole that cannot be looked into", async () => {
    const run = await make();
    const fields = {
      get a(): string {
        throw new Error("broken");
      },
    };
    const made = run.apply(record("password=x", { fields }));
    expect([made?.fields, made?.text]).toEqual([undefined, "[redacted]"]);
    expect(counted(run)).toEqual({ failed: 1 });
  });

  test("what cannot even be counted does not go on unseen", () => {
    const count = () => {
      throw new Error("no counter");
    };
    const options = { fields: [], patterns: [], shapes: new Map(Object.entries(secretShapes)), byName: true, count };
    const one = parsed('{"password":"x"}');
    expect(() => new Redaction({ ...options, with: "-" }).apply(one)).toThrow("no counter");
    expect([one.text, one.fields]).toEqual(["-", undefined]);
  });

  test("once more changes nothing, and counts nothing", async () => {
    const run = await make({ patterns: ["id-\\d+|\\[redacted\\]"] });
    const once = run.apply(record('password=x "secret": 5 postgres://a:b@db Bearer abcdef123456 id-7'))!.text;
    const before = counted(run);
    expect(run.apply(record(once))?.text).toBe(once);
    expect(counted(run)).toEqual(before);
  });

  test("tries patterns on a long text in pieces, and replaces in all of them", async () => {
    const run = await make({ patterns: ["id-\\d+"], secrets: false });
    const text = "id-1 and ".repeat(20_000);
    expect(run.apply(record(text))?.text).toBe("[redacted] and ".repeat(20_000));
  });

  test("says which pattern is wrong", () => {
    expect(mistake(redact, { patterns: ["ok", "a(b"] })).toContain('\\"a(b\\" is not a regular expression: missing )');
    expect(mistake(redact, { secrets: ["passwords"] })).not.toBe("");
    expect(mistake(redact, { filds: [] })).toContain("filds");
  });
});

test("wherever a secret is put in a record, it is nowhere in it afterwards", async () => {
  const run = await make();
  const secret = "zQ9xv7Kp2m";
  const carriers = [
    `Bearer ${secret}`,
    `https://joe:${secret}@host/x`,
    `password=${secret}`,
    `{"client_secret":"${secret}"}`,
    `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`,
    `eyJ${secret}.eyJ${secret}.${secret}`,
  ];
  const filler = fc.string({ unit: fc.constantFrom("a", " ", '"', "\\", "é", "\n", ":", "1"), maxLength: 12 });
  const carrier = fc
    .tuple(filler, fc.constantFrom(...carriers), filler)
    .map(([before, one, after]) => `${before} ${one} ${after}`);
  const { node } = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      carrier,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("node"), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom("a", "msg", "__proto__", "1"), tie("node"), { maxKeys: 4 }),
    ),
  }));
  const fields = fc.dictionary(fc.constantFrom("a", "b", "msg"), node, { minKeys: 1 });
  const escaped = (text: string) => text.replace(/[zBp:]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
  fc.assert(
    fc.property(fields, fc.boolean(), (made, isEscaped) => {
      const plain = JSON.stringify(made);
      const one = parsed(isEscaped ? escaped(plain).replaceAll("\\u003a", ":") : plain);
      run.apply(one);
      expect(JSON.stringify(one.fields)).not.toContain(secret);
      expect(one.text).not.toContain(secret);
      const unparsed = record(plain);
      run.apply(unparsed);
      expect(unparsed.text).not.toContain(secret);
    }),
    { numRuns: 1_000 },
  );
});
