import { beforeEach, expect, test } from "bun:test";
import { RecordingThread } from "../../test/kit/engine.ts";
import { CertificateExpiry } from "./certificate-expiry.ts";

const hour = 3_600_000;
let now: number;
let thread: RecordingThread;
let expiry: CertificateExpiry;

beforeEach(() => {
  now = 1000 * hour;
  thread = Object.assign(new RecordingThread(), { clock: { now: () => now, wall: () => now } });
  expiry = new CertificateExpiry(thread);
});

function lasting(fromHours: number, toHours: number, file = "/a.crt") {
  return { file, notBefore: now + fromHours * hour, notAfter: now + toHours * hour };
}

function said(): string[] {
  return thread.events.map(({ event, fields }) => `${event} ${fields.file}`);
}

test("each certificate has a gauge", () => {
  expiry.watch([lasting(-10, 90)]);
  expect(thread.counted.get("outrigger_certificate_expiry_timestamp_seconds{file=/a.crt}")).toBe(
    (now + 90 * hour) / 1000,
  );
});

test("it is said once as the end nears, and once when it has come", () => {
  expiry.watch([lasting(-10, 90), lasting(-10, 9000, "/b.crt")]);
  now += 79 * hour;
  expiry.look();
  expect(said()).toEqual([]);
  now += 1 * hour;
  expiry.look();
  expiry.look();
  expect(said()).toEqual(["certificate_expires /a.crt"]);
  expect(thread.events[0]!.fields.expires).toBe(new Date(now + 10 * hour).toISOString());
  now += 10 * hour;
  expiry.look();
  expiry.look();
  expect(said()).toEqual(["certificate_expires /a.crt", "certificate_expired /a.crt"]);
});

test("a reload with the same certificate says nothing again, a new one starts anew", () => {
  const old = lasting(-99, 1);
  expiry.watch([old]);
  expiry.watch([{ ...old }]);
  expect(said()).toEqual(["certificate_expires /a.crt"]);
  expiry.watch([lasting(0, 100)]);
  now += 95 * hour;
  expiry.look();
  expect(said()).toEqual(["certificate_expires /a.crt", "certificate_expires /a.crt"]);
});

test("one that has expired already is said at once", () => {
  expiry.watch([lasting(-10, -1)]);
  expect(said()).toEqual(["certificate_expired /a.crt"]);
});
