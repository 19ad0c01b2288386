/**
 * docs/kubernetes.md: a cluster is not here, but what its commands say can be held against kubectl, against the files
 * and objects they name, and against what the injector does.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatAnnotationFault } from "../src/injector/annotations.ts";
import { inject } from "../src/injector/inject.ts";
import { splitDocuments } from "../src/injector/manifest.ts";
import { dig } from "../src/injector/pod.ts";
import { program, run } from "./kit/commands.ts";
import { brokenPromise, consoleSteps, runStep } from "./kit/console-blocks.ts";
import { installObjects, placeOf } from "./kit/deployment.ts";

const root = join(import.meta.dirname, "..");
const page = "docs/kubernetes.md";
const text = readFileSync(join(root, page), "utf8");
const steps = consoleSteps(page, text);
const kubectl = program("kubectl", `the commands of ${page} are not checked`);

/** Of one line, also within a pipe; inline code of tables, too. */
function kubectlCommands(): string[] {
  const inline = [...text.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/`(kubectl [^`]+)`/g)].map(([, one]) => one!);
  return [...steps.map(({ command }) => command), ...inline].flatMap((line) =>
    line.split(/ \| | > |; |[(){}]\s/).filter((part) => /^(timeout \d+ )?kubectl /.test(part.trim())),
  );
}

/** The command, asked for its help: kubectl reads every flag before it gives that, and refuses those it does not know. */
function askedForHelp(command: string): string {
  const own = command.trim().replace(/^timeout \d+ /, "");
  return own.includes(" -- ") ? own.replace(" -- ", " --help -- ") : `${own} --help`;
}

describe.skipIf(kubectl === undefined)("kubectl knows", () => {
  const commands = [...new Set(kubectlCommands())];

  test("(the page shows commands)", () => expect(commands.length).toBeGreaterThan(50));

  test.each(commands)("$ %s", async (command) => {
    const { code, out, err } = await run("sh", ["-c", askedForHelp(command)]);
    const words = command
      .trim()
      .replace(/^timeout \d+ /, "")
      .split(/\s+/);
    const verb = words.slice(1).find((word, at) => !word.startsWith("-") && words[at] !== "-n");
    expect({ command, code, err }).toEqual({ command, code: 0, err: "" });
    expect(out).toMatch(new RegExp(`^ {2}kubectl ${verb}\\b`, "m"));
  });

  /** Nobody listens on port 1: a command that kubectl understands gets as far as the connection. */
  async function reaches(command: string): Promise<boolean> {
    const own = command.trim().replace(/^timeout \d+ /, "");
    const words = own.replace(/^kubectl /, "kubectl --server=http://127.0.0.1:1 --request-timeout=2s ");
    const here = words.replace(/\bhello(-alone)?\.yaml/, "samples/forward-requests/app.yaml");
    const { out, err } = await run("sh", ["-c", `cd '${root}' && ${here}`]);
    return /connection (to the server 127\.0\.0\.1:1 was )?refused/.test(out + err);
  }

  test.each(steps.filter(({ command, isRun }) => !isRun && /^(timeout \d+ )?kubectl [^|]*$/.test(command)))(
    "$place, and all that $command names",
    async ({ command }) => {
      expect([command, await reaches(command)]).toEqual([command, true]);
    },
  );

  test("(what is wrong gets no further)", async () => {
    const slips = ["kubectl get pods --lable a=b", "kubectl aply -f x", "kubectl apply -f samples/none.yaml"];
    for (const slip of slips) expect([slip, await reaches(slip)]).toEqual([slip, false]);
  });

  test("(a flag that there is not is found, and so is a verb)", async () => {
    expect((await run("sh", ["-c", askedForHelp("kubectl get pods --no-such-flag")])).code).not.toBe(0);
    expect((await run("sh", ["-c", askedForHelp("kubectl gett pods")])).out).not.toMatch(/^ {2}kubectl gett\b/m);
  });
});

describe("what the commands name", () => {
  test("is removed in the right order", () => {
    const at = (part: string) => steps.findIndex(({ command }) => command.includes(part));
    expect(at("delete mutatingwebhookconfiguration")).toBeGreaterThan(at("apply -f deploy/install.yaml"));
    expect(at("delete -f deploy/install.yaml")).toBeGreaterThan(at("delete mutatingwebhookconfiguration"));
  });

  test("files are there", () => {
    const named = [...text.matchAll(/(?:^|[ (`])((?:samples|deploy)\/[\w./-]+)/gm)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(10);
    expect([...new Set(named)].filter((path) => !existsSync(join(root, path)))).toEqual([]);
    for (const [, link] of text.matchAll(/\]\(([^)#]+)\)/g))
      expect({ link, there: existsSync(join(root, "docs", link!)) }).toEqual({ link, there: true });
  });

  test("an app's ConfigMap is created before the app, and objects are looked at after they are applied", () => {
    const maps = new Map<string, string>();
    const known = new Set(installObjects().map(placeOf));
    for (const { command } of steps) {
      const namespace = / -n ([\w-]+)/.exec(command)?.[1];
      const map = /create configmap (\S+) --from-file=(\S+)/.exec(command);
      if (map) maps.set(map[1]!, map[2]!);
      for (const [, file] of command.matchAll(/apply -f (samples\/\S+)/g)) {
        for (const { kind, value } of objectsIn(file!)) {
          const template = kind === "Pod" ? value : dig(value, "spec", "template");
          const wanted = dig(template, "metadata", "annotations", "outrigger.dev/config-map");
          if (wanted !== undefined) expect([file, [...maps.keys()]]).toEqual([file, expect.arrayContaining([wanted])]);
          known.add(`${kind} ${namespace}/${dig(value, "metadata", "name")}`);
        }
      }
      const looked = /(?:logs|exec(?: -i)?|status|restart|--for=\S+|get pod) (?:(pod|job|deployment)\/)?([\w-]+)/.exec(
        command,
      );
      if (looked === null || namespace === "demo-offline" || command.includes("--raw")) continue;
      const kind = { pod: "Pod", job: "Job", deployment: "Deployment" }[looked[1] ?? "pod"];
      expect({ command, known: known.has(`${kind} ${namespace}/${looked[2]}`) }).toEqual({ command, known: true });
    }
    expect(maps.size).toBe(3);
  });

  test("containers of -c exist", () => {
    const named = new Set(
      ["collect-logs/app", "forward-requests/app", "forward-requests/caller", "intercept-requests/app"]
        .concat("intercept-requests/job", "intercept-requests/capture")
        .flatMap(
          (name) => readFileSync(join(root, `samples/${name}.yaml`), "utf8").match(/(?<= - name: )[\w-]+/g) ?? [],
        ),
    );
    for (const [, name] of text.matchAll(/ -c ([\w-]+)(?= |$)/gm))
      if (!/^outrigger(-redirect)?$/.test(name!)) expect([name, named.has(name!)]).toEqual([name, true]);
  });

  test("the Service is led to the port that the sidecar has", () => {
    const [port] = /"value":(\d+)/.exec(text)!.slice(1);
    const deployment = objectsIn("samples/forward-requests/app.yaml").find(({ kind }) => kind === "Deployment")!;
    const { pod, outcome } = inject(dig(deployment.value, "spec", "template"), { owner: "Deployment" });
    expect(outcome).toBe("injected");
    expect(JSON.stringify(pod)).toContain(`"containerPort":${port}`);
  });
});

function objectsIn(file: string) {
  return splitDocuments(file, readFileSync(join(root, file), "utf8")).flatMap(({ objects }) => objects);
}

test("the refusal that is shown is the injector's", () => {
  const step = steps.find(({ command }) => command.startsWith("sed "))!;
  const [, from, to] = /^sed 's\/(.*)\/(.*)\/'/.exec(step.command)!;
  const changed = readFileSync(join(root, "samples/intercept-requests/app.yaml"), "utf8").replace(
    new RegExp(from!),
    to!,
  );
  const { value } = splitDocuments("x", changed).flatMap(({ objects }) => objects)[0]!;
  const { outcome, faults } = inject(value, {});
  expect(outcome).toBe("refused");
  expect(step.expected[0]).toEndWith(`denied the request: ${faults.map(formatAnnotationFault).join("\n")}`);
});

describe.skipIf(kubectl === undefined)("commands that need no cluster", () => {
  let folder: string;
  let env: Record<string, string | undefined>;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "docs-kubernetes-"));
    symlinkSync(join(root, "samples"), join(folder, "samples"));
    const bin = join(folder, "bin");
    mkdirSync(bin);
    writeFileSync(
      join(bin, "outrigger"),
      `#!/bin/sh\nexec '${process.execPath}' '${join(root, "src/main.ts")}' "$@"\n`,
    );
    chmodSync(join(bin, "outrigger"), 0o755);
    env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const step of steps.filter(({ isRun }) => isRun)) {
    test(`${step.place} $ ${step.command}`, async () => {
      const { output, code } = await runStep(step, folder, env);
      const broken = brokenPromise(step.expected, output);
      expect({ broken, code, output }).toEqual({ broken: undefined, code: step.exit, output });
    }, 60_000);
  }

  test("at the end the manifests are as they were", () => {
    const was = ["hello-config.yaml", "samples/forward-requests/app.yaml"].map((file) =>
      readFileSync(join(folder, file), "utf8"),
    );
    expect(readFileSync(join(folder, "hello-alone.yaml"), "utf8")).toBe(was.join("---\n"));
  });
});
