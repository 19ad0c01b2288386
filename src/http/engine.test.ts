import { expect, test } from "bun:test";
import { RecordingThread } from "../../test/kit/engine.ts";
import { Engine } from "./engine.ts";

test("ids are all different, and begin with the worker's number", () => {
  const engine = new Engine(new RecordingThread(), 11);
  const ids = new Set(Array.from({ length: 70_000 }, () => engine.nextId()));
  expect(ids.size).toBe(70_000);
  for (const id of ids) if (!/^b-[0-9a-f]+-[0-9a-f]{2,}$/.test(id)) throw new Error(id);
  engine.stop();
});
