/** The programs that tell the kernel's packet filter what to do, and why they could not. */
import { existsSync, readFileSync } from "node:fs";
import { UserError } from "../errors.ts";

/** How a program ended. */
export interface ToolResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What of this machine the redirect needs; a test has its own. */
export interface Machine {
  /** Where a program is; undefined when it is not in the path. */
  find(program: string): string | undefined;
  /** Runs it to its end with that input. */
  run(words: readonly string[], input: string): ToolResult;
  /** False when this process may surely not change the network. */
  readonly mayChangeNetwork: boolean;
  readonly hasIpv6: boolean;
}

/** From linux/capability.h. */
const netAdmin = 12n;
/** Where Debian and others keep them; images often have a shorter path. */
const toolFolders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/** The machine we are on. @param path as in $PATH */
export function thisMachine(path: string | undefined): Machine {
  const folders = [path ?? "", ...toolFolders].filter((folder) => folder !== "").join(":");
  return {
    find: (program) => Bun.which(program, { PATH: folders }) ?? undefined,
    run(words, input) {
      const { exitCode, stdout, stderr } = Bun.spawnSync([...words], {
        stdin: Buffer.from(input),
        env: { PATH: folders },
      });
      return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
    },
    mayChangeNetwork: hasCapability(netAdmin),
    hasIpv6: existsSync("/proc/net/if_inet6"),
  };
}

/** True where the system does not tell. */
function hasCapability(number: bigint): boolean {
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    return effective === undefined || ((BigInt(`0x${effective}`) >> number) & 1n) === 1n;
  } catch {
    return true;
  }
}

/** @throws UserError (exit 3) that says what the container lacks */
export function needRights({ mayChangeNetwork }: Machine): void {
  if (mayChangeNetwork) return;
  throw new UserError(
    "init: the redirect rules cannot be set: this process lacks the capability NET_ADMIN; in the init container set " +
      "securityContext.runAsUser: 0 and capabilities.add: [NET_ADMIN] (and only there: the sidecar needs neither)",
    3,
  );
}

/** The program's whole output. @throws UserError (exit 3) with its complaint, and what may help */
export function runTool(machine: Machine, words: readonly string[], input: string, help: string): string {
  const { code, out, err } = machine.run(words, input);
  if (code === 0) return out;
  const complaint =
    err
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .slice(0, 3)
      .join(" | ") || `it ended with ${code}`;
  throw new UserError(
    `init: ${words[0]?.split("/").at(-1)} refused the redirect rules, and nothing was changed: ${complaint}; ${help}`,
    3,
  );
}
