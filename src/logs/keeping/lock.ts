/**
 * One log worker per state folder. Two that share one would each overwrite the other's positions.
 *
 * The lock is a socket in Linux's abstract namespace, named after the folder's inode. Unlike a file with a process id
 * it cannot go stale: the kernel lets go of it when its process ends, however it ends; and unlike a process id it
 * means the same in all containers of a pod, which share their network namespace but not their processes.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../errors.ts";

export interface Lock {
  release(): void;
}

/** Throws a UserError when another process holds the folder. */
export function lockFolder(folder: string): Lock {
  if (process.platform !== "linux") return { release() {} };
  const { dev, ino } = statSync(folder, { bigint: true });
  try {
    const held = Bun.listen({
      unix: `\0outrigger-logs-${dev}-${ino}`,
      socket: { open: (peer) => void peer.end(), data() {} },
    });
    held.unref();
    leaveName(folder);
    return { release: () => held.stop(true) };
  } catch (error) {
    // A sandbox without abstract sockets: better two owners than none.
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") return { release() {} };
    throw new UserError(
      `${folder}: another outrigger${holder(folder)} keeps its positions of log files here; give each its own \`state:\``,
      3,
    );
  }
}

/** For the message of whoever comes second; the lock itself does not depend on it. */
function leaveName(folder: string): void {
  try {
    writeFileSync(join(folder, "owner"), `${process.pid}\n`, { mode: 0o600 });
  } catch {}
}

function holder(folder: string): string {
  try {
    return ` (process ${readFileSync(join(folder, "owner"), "latin1").trim()})`;
  } catch {
    return "";
  }
}
