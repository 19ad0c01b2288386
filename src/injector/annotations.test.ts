import { expect, test } from "bun:test";
import { annotations, formatAnnotationFault, prefix, readSettings } from "./annotations.ts";

function faultsOf(name: string, value: unknown): string[] {
  return readSettings({ [prefix + name]: value }, {}).faults.map(formatAnnotationFault);
}

test("without annotations every setting has its default", () => {
  const { settings, faults } = readSettings({ "others.dev/config": "x" }, {});
  expect(faults).toEqual([]);
  expect(settings).toMatchObject({
    inbound: "service",
    capture: "loopback",
    lifecycle: "native",
    "run-as": "fixed",
    env: {},
  });
  expect(Object.keys(settings)).toEqual(Object.keys(annotations));
});

test("what is written wins over the injector's defaults, and those over ours", () => {
  const defaults = { image: "a", lifecycle: "plain" };
  const { settings } = readSettings({ [`${prefix}image`]: "b" }, defaults);
  expect([settings.image, settings.lifecycle]).toEqual(["b", "plain"]);
});

test("a wrong value is refused with the values that are allowed", () => {
  expect(faultsOf("inbound", "all")).toEqual([
    'outrigger.dev/inbound: "all" is not known; allowed are service, redirect or off',
  ]);
  expect(faultsOf("health-port", 7500)).toEqual([
    "outrigger.dev/health-port: it is not a text; write a whole number from 1 to 65535",
  ]);
  for (const [name, value] of [
    ["inbound-ports", "8080"],
    ["inbound-ports", "8080:7878:1"],
    ["exclude-cidrs", "10.0.0.0/8,"],
    ["log-path", "var/log"],
    ["cpu-limit", "0"],
    ["env", "A=1,B"],
    ["env", "A=1,A=2"],
    ["config", " "],
    ["config-map", "Not_a_name"],
    ["image", "a b"],
    ["redirect-inbound-to", "0"],
  ] as const)
    expect([name, value, faultsOf(name, value).length]).toEqual([name, value, 1]);
});

test("an unknown one is refused, with what was meant", () => {
  expect(faultsOf("inbond", "off")).toEqual([
    "outrigger.dev/inbond: there is no such annotation; did you mean outrigger.dev/inbound?",
  ]);
  expect(faultsOf("inject", "true")).toEqual([
    "outrigger.dev/inject: this is a label, not an annotation; write it under metadata.labels",
  ]);
  expect(faultsOf("toString", "x")[0]).toContain("there is no such annotation");
});

test("variables stand between commas, or one a line where values have some", () => {
  const env = (text: string) => readSettings({ [`${prefix}env`]: text }, {}).settings.env;
  expect(env("A=1, B=x=y,C=")).toEqual({ A: "1", B: "x=y", C: "" });
  expect(env("A=1,2\nB=3\n")).toEqual({ A: "1,2", B: "3" });
});
