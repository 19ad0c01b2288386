/** The image itself: what it holds, what it says of itself, and that its programs run in it. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { podman } from "./kit/pod.ts";

const { version } = manifest;
const image = `outrigger:${version}`;
const architecture = process.arch === "arm64" ? "arm64" : "amd64";

/** Every file of an image, with the mode and owner that `tar` shows. */
async function filesOf(name: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-image-"));
  try {
    const container = await podman.run("create", "--pull=never", name);
    await podman.run("export", `--output=${folder}/root.tar`, container);
    await podman.run("rm", container);
    const listed = Bun.spawnSync(["tar", "-tvf", `${folder}/root.tar`, "--numeric-owner"]).stdout.toString();
    return listed.split("\n").filter((line) => line !== "");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What podman adds when it makes a container. */
const ofPodman = /^(dev|proc|sys|run)\/|^etc\/(hosts|hostname|resolv\.conf|mtab)$/;

function pathOf(line: string): string {
  return line.split(/\s+/)[5]!.replace(/^\.\//, "");
}

test("the sidecar's image holds its two programs, libraries, certificates and names, and nothing else", async () => {
  const lines = await filesOf(image);
  const files = lines
    .filter((line) => !line.startsWith("d"))
    .map(pathOf)
    .filter((path) => !ofPodman.test(path));
  const library = /^(usr\/)?lib(64)?\/(\w+-linux-gnu\/)?(lib[\w+-]+\.so(\.\d+)*|ld-linux-[\w-]+\.so\.\d)$/;
  const rest = files.filter((path) => !library.test(path) && !path.startsWith("usr/share/doc/"));
  expect(rest.sort()).toEqual([
    "etc/group",
    "etc/nsswitch.conf",
    "etc/passwd",
    "etc/ssl/certs/ca-certificates.crt",
    "usr/local/bin/outrigger",
    "usr/sbin/nft",
  ]);
  expect(files.filter((path) => path.startsWith("usr/share/doc/") && !/\/(copyright|LICENSE)$/.test(path))).toEqual([]);
});

test("only the folder for state is anybody's but root's, and only /tmp is open to all", async () => {
  const lines = (await filesOf(image)).filter((line) => !ofPodman.test(pathOf(line)));
  const owned = lines.filter((line) => line.split(/\s+/)[1] !== "0/0");
  expect(owned.map(pathOf)).toEqual(["var/lib/outrigger/"]);
  expect(owned[0]).toMatch(/^drwx\S+ 7411\/7411 /);
  expect(lines.filter((line) => /^[d-].......w/.test(line)).map(pathOf)).toEqual(["tmp/"]);
  expect(lines.filter((line) => /^...[sS]|^......[sS]/.test(line))).toEqual([]);
});

interface Inspected {
  Architecture: string;
  Config: { User: string; Entrypoint: string[]; Env: string[]; Cmd: string[] | null; Labels: Record<string, string> };
}

test("it runs as 7411, starts the sidecar, and is labelled as OCI images are", async () => {
  const [inspected] = await podman.ask<Inspected[]>("image", "inspect", image);
  const { Architecture, Config } = inspected!;
  expect(Architecture).toBe(architecture);
  expect([Config.User, Config.Entrypoint, Config.Cmd ?? []]).toEqual(["7411:7411", ["/usr/local/bin/outrigger"], []]);
  expect(Config.Env).toContain("BUN_JSC_thresholdForJITAfterWarmUp=20000");
  expect(Config.Labels).toMatchObject({
    "org.opencontainers.image.title": "outrigger",
    "org.opencontainers.image.version": version,
    "org.opencontainers.image.licenses": "Apache-2.0",
    "org.opencontainers.image.created": expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    "org.opencontainers.image.revision": expect.stringMatching(/^[0-9a-f]{40}$/),
  });
});

test("its name is the one that Kubernetes makes of the pods' image", async () => {
  const names = await podman.run("images", "--format", "{{.Repository}}:{{.Tag}}");
  expect(names.split("\n")).toContain(`docker.io/library/${image}`);
  expect(names.split("\n")).toContain(`docker.io/library/outrigger-samples:${version}`);
});

const restricted = ["--rm", "--pull=never", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all"];

test("the sidecar runs in it", async () => {
  expect(await podman.run("run", ...restricted, "--network=none", image, "version")).toBe(version);
});

test("nft runs in it, as root with NET_ADMIN alone", async () => {
  const root = [...restricted, "--cap-add=net_admin", "--user=0:0", "--network=none", "--entrypoint=nft", image];
  const rules = "add table inet t; add chain inet t c { type nat hook output priority -100; }; list ruleset";
  expect(await podman.run("run", ...root, rules)).toContain("type nat hook output priority -100");
});

interface Bill {
  bomFormat: string;
  specVersion: string;
  metadata: { component: { name: string; version: string; type: string } };
  components: { name: string; version: string; purl: string; "bom-ref": string }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

test("its bill of materials names what it is made of, and not what it was made with", () => {
  const file = join(import.meta.dirname, `../../dist/outrigger-${version}-${architecture}.cdx.json`);
  const bill: Bill = JSON.parse(readFileSync(file, "utf8"));
  expect([bill.bomFormat, bill.specVersion]).toEqual(["CycloneDX", "1.5"]);
  expect(bill.metadata.component).toMatchObject({ name: "outrigger", version, type: "container" });
  const names = bill.components.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining([...Object.keys(manifest.dependencies), "bun", "libc6", "nftables"]));
  for (const name of Object.keys(manifest.devDependencies).filter((one) => one !== "bun"))
    expect(names).not.toContain(name);
  const refs = bill.components.map((component) => component["bom-ref"]);
  expect(new Set(refs).size).toBe(refs.length);
  const wanted = bill.dependencies.flatMap(({ dependsOn }) => dependsOn);
  expect(wanted.filter((ref) => !refs.includes(ref))).toEqual([]);
});
