import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { exposition } from "../../src/admin/metrics.ts";
import { processExposition } from "../../src/admin/process-metrics.ts";
import { MetricsRegion, spineMetrics } from "../../src/metrics.ts";
import { Pod } from "../kit/sidecar-process.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

const promtool = Bun.which("promtool");
if (promtool === null) {
  process.stderr.write(
    "\n*** promtool is not installed: the scrape is NOT checked (apt-get install prometheus) ***\n\n",
  );
}

/** A region in which every metric of the spine has a series. */
function filled(): MetricsRegion {
  const region = new MetricsRegion(spineMetrics, { strict: true });
  for (const [name, declaration] of Object.entries(region.declarations())) {
    const labels = Object.fromEntries((declaration.labels ?? []).map((label) => [label, 'a "quoted"\\\nvalue']));
    if (declaration.kind === "histogram") region.histogram(name, labels).observe(0.003);
    else region[declaration.kind](name, labels).add(1.5);
  }
  return region;
}

async function check(text: string): Promise<{ code: number; said: string }> {
  const tool = Bun.spawn([promtool!, "check", "metrics"], {
    stdin: new Blob([text]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = (await new Response(tool.stdout).text()) + (await new Response(tool.stderr).text());
  return { code: await tool.exited, said };
}

describe("promtool", () => {
  test.if(promtool !== null)("finds nothing wrong with a scrape of everything", async () => {
    const text = exposition(spineMetrics, [filled(), filled()]) + processExposition(Date.now());
    expect(await check(text)).toEqual({ code: 0, said: "" });
  });

  test.if(promtool !== null)("finds nothing wrong with what a real sidecar serves after some traffic", async () => {
    const pod = new Pod();
    const sidecar = await pod.start(
      'inbound:\n  - { listen: "127.0.0.1:0", to: "http://127.0.0.1:1", timeouts: { start: 0s } }',
    );
    expect((await fetch(`http://${sidecar.address()}/`)).status).toBe(502);
    const text = await (await fetch(`${sidecar.healthUrl}/metrics`)).text();
    expect(text).toContain('outrigger_failures_total{code="upstream_unreachable"} 1\n');
    expect(await check(text)).toEqual({ code: 0, said: "" });
    await pod.remove();
  });

  test.if(promtool !== null)("would find a wrong one", async () => {
    expect((await check("# TYPE a counter\na{x=} 1\n")).code).not.toBe(0);
  });
});
