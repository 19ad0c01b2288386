/** Programs of this machine that the image is made with. */

/** Whether the program is there and answers well. */
export function works(...command: string[]): boolean {
  if (Bun.which(command[0]!) === null) return false;
  return Bun.spawnSync(command, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
}

export interface Surroundings {
  cwd?: string;
  env?: Record<string, string>;
}

/** Runs a program to its end and gives what it wrote to stdout. Throws its command and its stderr when it fails. */
export function outputOf(command: readonly string[], { cwd, env }: Surroundings = {}): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdin: "ignore",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: exit code ${exitCode}\n${stderr.toString().trim()}`);
  return stdout.toString();
}
