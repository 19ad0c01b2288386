import { describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NAMES } from "./contenders.ts";
import { writeConfigs } from "./running.ts";
import { CONFIGS, fillText } from "./template.ts";

describe("a config template", () => {
  test("lines stand where their switch is on, or off, or as often as it counts", () => {
    const text = [
      "all {{port}}",
      "secret # only: tls",
      "plain # not: tls, not: http2",
      "r{{n}} -> {{port}} # each: routes",
      "# a comment",
    ].join("\n");
    expect(fillText(text, { port: 80 }, { tls: 1, routes: 2 })).toBe("all 80\nsecret\nr1 -> 80\nr2 -> 80\n# a comment");
    expect(fillText(text, { port: 80 }, {})).toBe("all 80\nplain\n# a comment");
    expect(fillText(text, { port: 80 }, { http2: 1 })).toBe("all 80\n# a comment");
  });

  test("a place that nothing is known for is an error", () => {
    expect(() => fillText("listen {{port}}", {}, {})).toThrow("{{port}}");
  });
});

describe("the configs", () => {
  const all = [...new Bun.Glob("**/*.{yaml,cfg,conf,json.template}").scanSync({ cwd: CONFIGS })].sort();
  // Collectors listen on no port; what their configs collect is checked before each run.
  const templates = all.filter((template) => !template.startsWith("logs/"));
  const places = { port: 1111, origin: 2222, http1: 3333, echo: 4444, cert: "/c", key: "/k", pem: "/p" };

  async function filled(template: string, switches: Record<string, number>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "bench-template-"));
    try {
      const [path] = await writeConfigs([template], folder, places, switches);
      return await readFile(path!, "utf8");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  test.each(templates)("%s is whole with every switch", async (template) => {
    for (const name of ["none", "tls", "http2", "websocket", "sameFields", "routes", "filters"]) {
      const text = await filled(template, { [name]: 2 });
      expect(text).toContain("1111");
      expect(text).not.toMatch(/\{\{|\}\}/);
      expect(text).not.toMatch(/# (only|not|each):/);
      if (template.startsWith("node")) expect(JSON.parse(text)).toMatchObject({ port: 1111, origin: 2222 });
    }
  });

  test.each(["outrigger.yaml", "haproxy.cfg", "nginx.conf", "envoy.yaml"])(
    "%s knows every switch",
    async (template) => {
      const off = await filled(template, {});
      const known = template === "outrigger.yaml" ? [] : ["sameFields"];
      for (const name of ["tls", "http2", "filters", "routes", ...known]) {
        const same = (text: string): string => text.replaceAll(/bench-template-\w+|health: .*/g, "");
        expect([name, same(await filled(template, { [name]: 3 })) === same(off)]).toEqual([name, false]);
      }
    },
  );
});

test("contenders have names of their own", () => {
  expect(NAMES).toContain("outrigger");
  expect(new Set(NAMES).size).toBe(NAMES.length);
});
