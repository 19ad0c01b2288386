/** Binaries of this working tree and of other revisions. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CACHE, ROOT } from "./layout.ts";

const BUILDS = join(CACHE, "builds");
/** Of other revisions; each is 110 MB. */
const KEPT = 5;

/** The full name of a commit. @throws when there is none of that name */
export function commitOf(revision: string): string {
  const ran = Bun.spawnSync(["git", "-C", ROOT, "rev-parse", "--verify", "--quiet", `${revision}^{commit}`]);
  if (!ran.success) throw new Error(`git knows no revision ${revision}`);
  return ran.stdout.toString().trim();
}

/** Compiles the working tree as it is now. */
export async function buildWorkingTree(say: (line: string) => void): Promise<string> {
  const binary = join(BUILDS, "working-tree", "outrigger");
  say("building the working tree");
  await compile(ROOT, binary);
  return binary;
}

/** The binary of a commit: from the cache, or compiled in a git worktree that is removed again. */
export async function buildCommit(commit: string, say: (line: string) => void): Promise<string> {
  const binary = join(BUILDS, commit, "outrigger");
  if (existsSync(binary)) return binary;
  say(`building ${commit.slice(0, 10)} in a worktree of its own`);
  const folder = await mkdtemp(join(tmpdir(), "bench-worktree-"));
  const tree = join(folder, "tree");
  try {
    await succeed(ROOT, ["git", "worktree", "add", "--quiet", "--detach", tree, commit]);
    await installAs(tree);
    await compile(tree, binary);
  } finally {
    await succeed(ROOT, ["git", "worktree", "remove", "--force", tree]);
    await rm(folder, { recursive: true, force: true });
  }
  await forgetOld(commit);
  return binary;
}

/** Packages of the worktree: ours where its lock file is the same, else its own. */
async function installAs(tree: string): Promise<void> {
  const [theirs, ours] = await Promise.all(
    [tree, ROOT].map((root) => readFile(join(root, "package-lock.json"), "utf8")),
  );
  if (theirs === ours) await symlink(join(ROOT, "node_modules"), join(tree, "node_modules"));
  else await succeed(tree, ["npm", "ci", "--no-audit", "--no-fund"]);
}

async function compile(tree: string, binary: string): Promise<void> {
  await mkdir(dirname(binary), { recursive: true });
  const unfinished = `${binary}.new`;
  await succeed(tree, ["node", "scripts/bun.mjs", "scripts/build.ts", unfinished]);
  await succeed(tree, ["mv", unfinished, binary]);
}

/** Removes all but the newest `KEPT` builds of other revisions. */
async function forgetOld(commit: string): Promise<void> {
  const names = (await readdir(BUILDS)).filter((name) => name !== commit && name !== "working-tree");
  const dated = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(BUILDS, name))).mtimeMs })));
  const old = dated.sort((a, b) => b.at - a.at).slice(KEPT - 1);
  for (const { name } of old) await rm(join(BUILDS, name), { recursive: true, force: true });
}

async function succeed(folder: string, command: string[]): Promise<void> {
  const child = Bun.spawn(command, { cwd: folder, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const said = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`\`${command.join(" ")}\` failed:\n${said.join("").trim()}`);
}
