/** The JSON Schema of the configuration, made of the same schemas that read it. */
import * as z from "zod";
import { builtInRegistry, loadDropIns, type Registry } from "./drop-ins.ts";
import { documentSchema } from "./grammar.ts";
import { isMap } from "./raw.ts";

/** A JSON Schema, as far as ours go. `x-…` members are for the reference page and not part of what is printed. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly $schema?: string;
  /** A default that depends on something, in words. */
  readonly "x-default"?: string;
  readonly "x-required"?: boolean;
}

/** The schema with the members that only the reference page reads. */
export async function documentedSchema(registry?: Registry): Promise<JsonSchema> {
  const dropIns = await loadDropIns(registry ?? (await builtInRegistry()));
  const schema = z.toJSONSchema(documentSchema(dropIns), { io: "input", unrepresentable: "any" });
  return mapSchema(schema as JsonSchema, requireMarked);
}

/** The JSON Schema (draft 2020-12) that `outrigger schema` prints. */
export async function jsonSchema(registry?: Registry): Promise<JsonSchema> {
  const documented = await documentedSchema(registry);
  const { $schema, ...rest } = mapSchema(mapSchema(documented, withoutOwnMembers), allowReference);
  const description = "Configuration of Outrigger, one small process beside any app in a Kubernetes pod.";
  return { $schema: $schema ?? "", title: "Outrigger", description, ...rest, $defs: { ...rest.$defs, reference } };
}

/** Where a scalar cannot be any text, a reference still can: what it stands for is known only when it is loaded. */
const reference: JsonSchema = {
  type: "string",
  pattern: "\\$\\{[^}]+\\}",
  description: `\`\${NAME}\` is replaced by the environment variable, \`\${file:/path}\` by the file's text.`,
};

/** The schema with `change` applied to every schema in it, innermost first. */
function mapSchema(schema: JsonSchema, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  const inner = (one: JsonSchema) => mapSchema(one, change);
  const { properties, items, anyOf, additionalProperties } = schema;
  return change({
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, inner(one)])),
    }),
    ...(items && { items: inner(items) }),
    ...(anyOf && { anyOf: anyOf.map(inner) }),
    ...(isMap(additionalProperties) && { additionalProperties: inner(additionalProperties) }),
  });
}

/** Our scalars read an unknown value, so that zod cannot see which ones must be there. */
function requireMarked(schema: JsonSchema): JsonSchema {
  const marked = Object.entries(schema.properties ?? {})
    .filter(([, one]) => one["x-required"])
    .map(([key]) => key);
  const required = [...new Set([...(schema.required ?? []), ...marked])];
  return required.length === 0 ? schema : { ...schema, required };
}

function withoutOwnMembers(schema: JsonSchema): JsonSchema {
  const { maximum, minimum, ...rest } = schema;
  // The bounds of a safe integer say nothing to a person.
  const bounds = {
    ...(minimum !== Number.MIN_SAFE_INTEGER && { minimum }),
    ...(maximum !== Number.MAX_SAFE_INTEGER && { maximum }),
  };
  return Object.fromEntries(
    Object.entries({ ...rest, ...bounds }).filter(([key, value]) => !key.startsWith("x-") && value !== undefined),
  );
}

function allowReference(schema: JsonSchema): JsonSchema {
  const { type, pattern, enum: choices, const: only, anyOf, properties, items } = schema;
  if (anyOf !== undefined || properties !== undefined || items !== undefined || type === "object" || type === "array")
    return schema;
  const isAnyText = type === "string" && pattern === undefined && choices === undefined && only === undefined;
  if (isAnyText || (type === undefined && choices === undefined && only === undefined)) return schema;
  const { description, default: fallback, title, examples, ...form } = schema;
  const about = Object.entries({ title, description, default: fallback, examples }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...Object.fromEntries(about), anyOf: [form, { $ref: "#/$defs/reference" }] };
}
