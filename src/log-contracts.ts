/**
 * The shapes of log-inputs/, log-transforms/ and log-outputs/; `contracts.ts` hands them on.
 *
 *   input.turn() -> Block -> lane.offer() -> transforms -> batch -> output.deliver() -> input.acknowledged() -> checkpoint
 *
 * All of it runs in the log worker. Lines travel as blocks of bytes; only where an entry has transforms are records
 * made of them, and nothing else here is called once per line.
 */
export * from "./log-contracts/inputs.ts";
export * from "./log-contracts/lines.ts";
export * from "./log-contracts/outputs.ts";
export * from "./log-contracts/transforms.ts";
