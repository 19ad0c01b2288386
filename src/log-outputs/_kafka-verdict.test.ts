import { expect, test } from "bun:test";
import { verdictOf } from "./_kafka-verdict.ts";

const parts = [
  { topic: "t", partition: 0, items: [0, 2] },
  { topic: "t", partition: 1, items: [1, 3] },
];

/** An error as the client nests it: one for each broker, with what it said of its partitions. */
function errorOf(...codes: (readonly [partition: number, code: number])[]): Error {
  const errors = codes.map(([index, errorCode]) => {
    const responses = [{ name: "t", partitionResponses: [{ index, errorCode }] }];
    return Object.assign(new Error(`code ${errorCode}`), { response: { responses } });
  });
  return new AggregateError(errors, "produce failed");
}

test("partitions that are all too large come back in halves, and not as they are for ever", () => {
  expect(verdictOf(errorOf([0, 10], [1, 18]), parts).outcome).toBe("tooLarge");
});

test("partitions that are all refused for good, for one reason or another, are refused", () => {
  expect(verdictOf(errorOf([0, 10], [1, 32]), parts).outcome).toBe("refused");
});

test("a partition that may be taken later is waited for first; then the refused one comes alone", () => {
  expect(verdictOf(errorOf([0, 10], [1, 6]), parts)).toEqual({ outcome: "retry", reason: "code 6" });
  const written = verdictOf(errorOf([0, 10], [1, 0]), parts);
  expect(written).toMatchObject({ outcome: "retry", only: [0, 2], rejected: [] });
  expect(verdictOf(errorOf([0, 10]), parts.slice(0, 1)).outcome).toBe("tooLarge");
});

test("without a broker's word everything comes again", () => {
  expect(verdictOf(new Error("socket closed"), parts)).toEqual({ outcome: "retry", reason: "socket closed" });
  expect(verdictOf(new Error("no metadata"), []).outcome).toBe("retry");
});
