/**
 * Command line -> command -> exit code.
 *
 * Only the file of the command that was named is imported, so that `run` loads nothing of the others;
 * help, and words that are no command, import them all.
 */
import type { Command, CommanderError } from "commander";
import { systemClock } from "./clock.ts";
import { readEnvironment } from "./config/env.ts";
import type { CommandDefinition, CommandIo } from "./contracts.ts";
import { keepEarlySignals } from "./early-signals.ts";
import { UserError } from "./errors.ts";
import { commands } from "./registry.gen.ts";
import { version } from "./version.ts";

const usageExitCode = 2;
const couldNotStart = 3;

type Commander = typeof import("commander");

/** The key an option has in `CommandOptions`: `--no-env` is `noEnv`, though commander itself calls it `env`. */
function optionValue(key: string, values: Record<string, unknown>, kind: string): unknown {
  const negated = /^no([A-Z])(.*)$/.exec(key);
  if (negated) return values[negated[1]!.toLowerCase() + negated[2]!] === false;
  const value = values[key];
  if (kind === "flag") return value === true;
  return kind === "list" ? (value ?? []) : value;
}

function optionValues(definition: CommandDefinition, values: Record<string, unknown>) {
  const options = Object.entries(definition.options ?? {});
  return Object.fromEntries(options.map(([key, { kind }]) => [key, optionValue(key, values, kind)])) as Parameters<
    CommandDefinition["run"]
  >[0];
}

/** The commander command of one definition; running it puts the exit code into `result`. */
function commandOf(commander: Commander, definition: CommandDefinition, io: CommandIo, result: { code: number }) {
  const command = new commander.Command(definition.name).description(definition.doc);
  for (const option of Object.values(definition.options ?? {})) command.option(option.flags, option.doc);
  if (definition.operands) command.argument(definition.operands.usage, definition.operands.doc);
  if (definition.examples) command.addHelpText("after", `\nExamples:\n  ${definition.examples.join("\n  ")}`);
  return command.action(async () => {
    result.code = await definition.run(optionValues(definition, command.opts()), command.args, io);
  });
}

async function definitionsFor(word: string | undefined): Promise<CommandDefinition[]> {
  const named = word !== undefined && Object.hasOwn(commands, word) ? [word] : Object.keys(commands);
  return Promise.all(named.map(async (name) => (await commands[name]!()).default));
}

function programOf(commander: Commander, io: CommandIo): Command {
  return new commander.Command("outrigger")
    .description("One small process beside any app in a pod: its logs, the requests in, the calls out.")
    .version(version, "-V, --version", "Print the version.")
    .helpOption("-h, --help", "Show help.")
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) });
}

/** What the person who typed it is told, and the exit code. Our own faults keep their stack: it is all we have. */
function explainFailure(error: unknown, io: CommandIo): number {
  if (error instanceof UserError) {
    io.err(`${error.message}\n`);
    return error.exitCode;
  }
  const { code, exitCode } = error as Partial<CommanderError>;
  if (code?.startsWith("commander.")) return exitCode === 0 ? 0 : usageExitCode;
  io.err(`outrigger: a fault of ours: ${error instanceof Error ? error.stack : String(error)}\n`);
  return couldNotStart;
}

/** Runs the command that `words` name; resolves to the exit code. Never rejects. */
export async function main(words: readonly string[], io: CommandIo): Promise<number> {
  try {
    const [commander, definitions] = await Promise.all([import("commander"), definitionsFor(words[0])]);
    const result = { code: 0 };
    const program = programOf(commander, io);
    for (const definition of definitions) {
      program.addCommand(commandOf(commander, definition, io, result).copyInheritedSettings(program));
    }
    await program.parseAsync(words, { from: "user" });
    return result.code;
  } catch (error) {
    return explainFailure(error, io);
  }
}

type Output = NodeJS.WriteStream;

/** Writes; a promise when the reader is slower than we are, resolved once it has caught up. */
function write(stream: Output, text: string | Uint8Array): void | Promise<void> {
  if (stream.write(text)) return;
  return new Promise((resolve) => void stream.once("drain", resolve));
}

/** Resolves when what was written has been handed to the kernel: an exit would cut a pipe short. */
function flushed(stream: Output): Promise<void> {
  return new Promise((resolve) => void stream.write("", () => resolve()));
}

/** The process's own surroundings. stdout and stderr are touched on first use only: `run` leaves them to its writers. */
export class ProcessIo implements CommandIo {
  readonly env: CommandIo["env"];
  readonly clock = systemClock;
  readonly random = Math.random;
  readonly #used = new Set<Output>();

  constructor(env: CommandIo["env"]) {
    this.env = env;
  }

  get colours(): boolean {
    return process.stdout.isTTY && this.env.NO_COLOR === undefined && this.env.TERM !== "dumb";
  }

  out(text: string | Uint8Array): void | Promise<void> {
    // Whoever reads us has gone (`outrigger check | head`): end as SIGPIPE would have it, in good order.
    if (!this.#used.has(process.stdout)) process.stdout.on("error", () => process.kill(process.pid, "SIGTERM"));
    this.#used.add(process.stdout);
    return write(process.stdout, text);
  }

  err(text: string): void {
    this.#used.add(process.stderr);
    process.stderr.write(text);
  }

  /** Ends the process once all it said has been handed over. */
  async exit(code: number): Promise<never> {
    await Promise.all([...this.#used].map(flushed));
    return process.exit(code);
  }
}

if (import.meta.main) {
  if (process.pid === 1) keepEarlySignals();
  const io = new ProcessIo(readEnvironment());
  await io.exit(await main(process.argv.slice(2), io));
}
