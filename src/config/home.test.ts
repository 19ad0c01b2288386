import { expect, test } from "bun:test";
import { homeFolder } from "./home.ts";

const unknown = () => {
  throw new Error("ENOENT: no such file or directory, uv_os_homedir");
};

test("a user whom no /etc/passwd knows has no home, and that is no fault", () => {
  expect(homeFolder({}, unknown)).toBeUndefined();
  expect(homeFolder({ HOME: "" }, unknown)).toBeUndefined();
});

test("$HOME counts before what the system knows", () => {
  expect(homeFolder({ HOME: "/home/me" }, () => "/root")).toBe("/home/me");
  expect(homeFolder({}, () => "/root")).toBe("/root");
});
