import { describe, expect, test } from "bun:test";
import {
  certificatesIn,
  type Material,
  readMaterial,
  renewalOf,
  renewed,
  secretData,
  usualLifetimes,
} from "./certificate-material.ts";

const dayMs = 86_400_000;
const names = ["a.test", "b.test"];
const start = Date.UTC(2026, 0, 1);
const made = await renewed("authority", undefined, names, start, usualLifetimes);
const renewalAt = (material: Material | undefined, days: number, wanted = names) =>
  renewalOf(material, wanted, start + days * dayMs, usualLifetimes);
const secretOf = (material: Material, changes: object = {}) => ({ data: { ...secretData(material), ...changes } });
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("what a Secret holds", () => {
  test("is read as it was written", () => expect(readMaterial(secretOf(made))).toEqual(made));

  test("is nothing where a part is missing, damaged, or of another pair", async () => {
    const other = await renewed("authority", undefined, names, start, usualLifetimes);
    const wrong = [
      undefined,
      {},
      { data: null },
      secretOf(made, { "tls.key": base64(other.key) }),
      secretOf(made, { "ca.key": base64(other.authorityKey) }),
      secretOf(made, { "ca.crt": base64(other.authorities[0]!), "ca.key": base64(other.authorityKey) }),
      secretOf(made, { "tls.crt": base64(made.cert.slice(0, 100)) }),
      secretOf(made, { "tls.key": "" }),
      secretOf(made, { "ca.crt": "%%%" }),
    ];
    for (const secret of wrong) expect(readMaterial(secret)).toBeUndefined();
  });

  test("of a bundle, what can be read counts, once", () => {
    const [one] = made.authorities;
    expect(
      certificatesIn(`# words\n${one}${one}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`),
    ).toEqual([one!]);
  });
});

describe("a renewal", () => {
  test("is due for the leaf after 60 days, for the authority in its last year", () => {
    expect([0, 1, 59.9, 60, 89, 200].map((days) => renewalAt(made, days))).toEqual([
      "none",
      "none",
      "none",
      "leaf",
      "leaf",
      "leaf",
    ]);
    expect([3286, 3288, 4000].map((days) => renewalAt(made, days))).toEqual(["leaf", "authority", "authority"]);
    expect(renewalAt(undefined, 0)).toBe("authority");
  });

  test("is due where the names are others, or a clock was wrong when it was made", () => {
    expect(renewalAt(made, 1, ["a.test"])).toBe("none");
    expect(renewalAt(made, 1, ["c.test"])).toBe("leaf");
    expect(renewalAt(made, -1)).toBe("authority");
  });

  test("of the leaf leaves the authority; of the authority keeps the old one trusted for a day", async () => {
    const leaf = await renewed("leaf", made, names, start + 60 * dayMs, usualLifetimes);
    expect([leaf.authorities, leaf.authorityKey]).toEqual([made.authorities, made.authorityKey]);
    expect(leaf.cert).not.toBe(made.cert);
    expect(readMaterial(secretOf(leaf))).toEqual(leaf);
    const now = 3300;
    const next = await renewed("authority", made, names, start + now * dayMs, usualLifetimes);
    expect(next.authorities).toEqual([next.authorities[0]!, made.authorities[0]!]);
    expect(readMaterial(secretOf(next))).toEqual(next);
    expect([0.9, 1.01].map((days) => renewalAt(next, now + days))).toEqual(["none", "forget"]);
    const forgotten = await renewed("forget", next, names, start, usualLifetimes);
    expect(forgotten).toEqual({ ...next, authorities: [next.authorities[0]!] });
  });
});
