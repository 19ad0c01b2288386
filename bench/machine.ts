/** The conditions a figure was measured under. */
import { readFileSync } from "node:fs";
import { release, totalmem } from "node:os";
import { ROOT } from "./layout.ts";

/** Facts about this machine and checkout, one a line. */
export function conditions(): string[] {
  const cpu = /^model name\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[1] ?? "unknown CPU";
  const cores = navigator.hardwareConcurrency;
  const virtual = readFileSync("/proc/cpuinfo", "latin1").includes(" hypervisor ") ? ", a virtual machine" : "";
  return [
    `${cpu}, ${cores} cores, ${Math.round(totalmem() / 2 ** 30)} GiB${virtual}, Linux ${release()}`,
    `Bun ${Bun.version}; revision ${revision()}; ${new Date().toISOString().slice(0, 10)}`,
  ];
}

function revision(): string {
  const git = (...words: string[]): string => {
    const ran = Bun.spawnSync(["git", "-C", ROOT, ...words], { stderr: "ignore" });
    return ran.success ? ran.stdout.toString().trim() : "";
  };
  const commit = git("rev-parse", "--short", "HEAD") || "none";
  return git("status", "--porcelain", "--", "src") ? `${commit} and changes not committed` : commit;
}
