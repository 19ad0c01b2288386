import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync } from "node:fs";
import { Pod } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

let pod: Pod;
beforeEach(() => {
  pod = new Pod();
});
afterEach(() => pod.remove());

test("secrets are taken out between file and stdout, and counted where Prometheus sees it", async () => {
  const log = pod.file(
    "log/a.log",
    '{"msg":"in","password":"hunter2"}\nplain Bearer abcdef123456\n{"level":"debug"}\n',
  );
  const sidecar = await pod.start(`
logs:
  - name: app
    files: [${pod.folder}/log/*.log]
    transform:
      - parse: json
      - drop: { where: { level: debug } }
      - redact
      - rename: { msg: message }
      - add: { app: shop }
`);
  await until(() => sidecar.records.length === 2, { what: "two lines" });
  appendFileSync(log, '{"msg":"out"}\n');
  await until(() => sidecar.records.length === 3, { what: "a third line" });
  expect(sidecar.records).toEqual([
    '{"password":"[redacted]","message":"in","app":"shop"}',
    '{"message":"plain Bearer [redacted]","app":"shop"}',
    '{"message":"out","app":"shop"}',
  ]);
  const count = (kind: string) =>
    sidecar.metric(`outrigger_log_redactions_total{input="app",transform="redact",kind="${kind}"}`);
  expect([await count("keyValues"), await count("authorization")]).toEqual([1, 1]);
  expect(await sidecar.metric('outrigger_log_dropped_records_total{input="app",transform="drop"}')).toBe(1);
  expect(await sidecar.stop()).toBe(0);
});
