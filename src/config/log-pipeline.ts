/** `logs:`: where lines come from and where they go. */
import * as z from "zod";
import type { LoadedDropIn } from "./drop-ins.ts";
import { logFieldsShape, toEntryFields } from "./log-fields.ts";
import { distinctNames } from "./names.ts";
import { policyShape, toPolicy } from "./output-policy.ts";
import { name, option } from "./scalars.ts";
import type { LogPipeline, NamedDropIn, PolicedOutput } from "./schema.ts";

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
    ...policyShape(),
  };
  const full = z.strictObject({ ...shape, ...offered(outputs) } as typeof shape);
  // The short form is written out before parsing; here it is for the JSON Schema.
  return z.union([full, z.enum([...outputs.keys()] as [string, ...string[]])]);
}

function transformSchema(transforms: Offered) {
  const full = z.strictObject(offered(transforms));
  const names = [...transforms.keys()];
  // As with outputs, the short form is for the JSON Schema.
  return names.length === 0 ? full : z.union([full, z.enum(names as [string, ...string[]])]);
}

/** The drop-ins an entry of `logs:` may name. */
export interface LogDropIns {
  readonly logInputs: Offered;
  readonly logTransforms: Offered;
  readonly logOutputs: Offered;
}

/** The options of one entry of `logs:`. Exactly one input, and one drop-in per item, are checked across keys. */
export function logPipelineSchema({ logInputs, logTransforms, logOutputs }: LogDropIns) {
  const shape = {
    name: option(name(), "Stands in metrics and events; unique.", { default: "the input's own name" }).optional(),
    ...logFieldsShape(),
    transform: option(
      z.array(transformSchema(logTransforms)),
      "What is done to lines on their way, in this order: names of transforms, or `{ transform: options }`. Without any, lines go as they are.",
      { default: "[]" },
    ).optional(),
    to: option(
      z.array(outputSchema(logOutputs)).min(1),
      "Where lines go: names of outputs, or `{ output: options }`; each gets every line.",
      {
        default: "[stdout]",
      },
    ).optional(),
  };
  return z.strictObject({ ...shape, ...offered(logInputs) } as typeof shape);
}

export type LogPipelineOptions = z.output<ReturnType<typeof logPipelineSchema>>;

/** The first key of `options` that is one of the drop-ins'. */
function chosen(options: object, dropIns: Offered): { use: string; options: unknown } {
  const [use = "", value] = Object.entries(options).find(([key]) => dropIns.has(key)) ?? [];
  return { use: dropIns.get(use)?.name ?? use, options: value };
}

function toOutput(options: NonNullable<LogPipelineOptions["to"]>[number], outputs: Offered): PolicedOutput {
  if (typeof options === "string") return { name: options, use: options, options: {} };
  const output = chosen(options, outputs);
  const policy = toPolicy(options);
  return { name: options.name ?? output.use, ...output, ...(policy && { policy }) };
}

function fieldsOf(options: LogPipelineOptions): Pick<LogPipeline, "fields"> {
  const fields = toEntryFields(options);
  return Object.keys(fields).length === 0 ? {} : { fields };
}

/** Transforms of one entry, each with a name that its numbers stand under. */
function toTransforms(items: LogPipelineOptions["transform"], transforms: Offered): NamedDropIn[] {
  const all = (items ?? []).map((item) =>
    typeof item === "string" ? { use: item, options: {} } : chosen(item, transforms),
  );
  const names = distinctNames(all.map(({ use }) => ({ given: undefined, fallback: use })));
  return all.map((one, at) => ({ name: names[at]!, ...one }));
}

/** The pipelines made of their options, each with a name of its own. */
export function toLogPipelines(all: readonly LogPipelineOptions[], dropIns: LogDropIns): LogPipeline[] {
  const { logInputs, logTransforms, logOutputs } = dropIns;
  const names = distinctNames(all.map((one) => ({ given: one.name, fallback: chosen(one, logInputs).use })));
  return all.map((one, at) => ({
    name: names[at]!,
    input: chosen(one, logInputs),
    ...fieldsOf(one),
    transforms: toTransforms(one.transform, logTransforms),
    outputs: (one.to ?? []).map((output) => toOutput(output, logOutputs)),
  }));
}
