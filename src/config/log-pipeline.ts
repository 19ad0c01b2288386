/** `logs:`: where lines come from and where they go. */
import * as z from "zod";
import type { LoadedDropIn } from "./drop-ins.ts";
import { distinctNames } from "./names.ts";
import { name, option } from "./scalars.ts";
import type { LogPipeline, NamedDropIn } from "./schema.ts";

/** Keys of drop-ins, each with the drop-in, or undefined when it is known but not named in the document. */
export type Offered = ReadonlyMap<string, LoadedDropIn | undefined>;

function offered(dropIns: Offered): Record<string, z.ZodType> {
  const schemaOf = (dropIn: LoadedDropIn | undefined) =>
    dropIn?.config.describe(dropIn.doc).optional() ?? z.unknown().optional();
  return Object.fromEntries([...dropIns].map(([key, dropIn]) => [key, schemaOf(dropIn)]));
}

function outputSchema(outputs: Offered) {
  const shape = {
    name: option(name(), "Unique within the list; part of the checkpoint's key.", {
      default: "the output's own name",
    }).optional(),
  };
  const full = z.strictObject({ ...shape, ...offered(outputs) } as typeof shape);
  // The short form is written out before parsing; here it is for the JSON Schema.
  return z.union([full, z.enum([...outputs.keys()] as [string, ...string[]])]);
}

/** The options of one entry of `logs:`. Exactly one input, and one drop-in per output, are checked across keys. */
export function logPipelineSchema(inputs: Offered, outputs: Offered) {
  const shape = {
    name: option(name(), "Stands in metrics and events; unique.", { default: "the input's own name" }).optional(),
    to: option(
      z.array(outputSchema(outputs)).min(1),
      "Where lines go: names of outputs, or `{ output: options }`; each gets every line.",
      {
        default: "[stdout]",
      },
    ).optional(),
  };
  return z.strictObject({ ...shape, ...offered(inputs) } as typeof shape);
}

export type LogPipelineOptions = z.output<ReturnType<typeof logPipelineSchema>>;

/** The first key of `options` that is one of the drop-ins'. */
function chosen(options: object, dropIns: Offered): { use: string; options: unknown } {
  const [use = "", value] = Object.entries(options).find(([key]) => dropIns.has(key)) ?? [];
  return { use: dropIns.get(use)?.name ?? use, options: value };
}

function toOutput(options: NonNullable<LogPipelineOptions["to"]>[number], outputs: Offered): NamedDropIn {
  if (typeof options === "string") return { name: options, use: options, options: {} };
  const output = chosen(options, outputs);
  return { name: options.name ?? output.use, ...output };
}

/** The pipelines made of their options, each with a name of its own. */
export function toLogPipelines(all: readonly LogPipelineOptions[], inputs: Offered, outputs: Offered): LogPipeline[] {
  const names = distinctNames(all.map((one) => ({ given: one.name, fallback: chosen(one, inputs).use })));
  return all.map((one, at) => ({
    name: names[at]!,
    input: chosen(one, inputs),
    outputs: (one.to ?? []).map((output) => toOutput(output, outputs)),
  }));
}
