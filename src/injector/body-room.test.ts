import { describe, expect, test } from "bun:test";
import { BodyRoom } from "./body-room.ts";

describe("room for bodies", () => {
  test("lets in who fits, in the order they came, and everybody in the end", () => {
    const room = new BodyRoom(10);
    const entered: string[] = [];
    const enter = (name: string, bytes: number) => room.enter(bytes, () => void entered.push(name));
    enter("a", 6);
    enter("b", 4);
    enter("c", 5);
    enter("d", 1); // would fit, but c was first
    expect(entered).toEqual(["a", "b"]);
    room.leave(4);
    expect(entered).toEqual(["a", "b"]);
    room.leave(6);
    expect(entered).toEqual(["a", "b", "c", "d"]);
  });

  test("takes one that is larger than all of it, alone", () => {
    const room = new BodyRoom(10);
    const entered: number[] = [];
    for (const bytes of [20, 1]) room.enter(bytes, () => void entered.push(bytes));
    expect(entered).toEqual([20]);
    room.leave(20);
    expect(entered).toEqual([20, 1]);
  });

  test("may be left while somebody enters", () => {
    const room = new BodyRoom(1);
    let count = 0;
    for (let i = 0; i < 1000; i++) {
      room.enter(1, () => {
        count++;
        if (count < 1000) queueMicrotask(() => room.leave(1));
      });
    }
    return Bun.sleep(10).then(() => expect(count).toBe(1000));
  });
});
