/** The page with every option: tables of key, type, default and meaning, nested as the options are. */
import type { JsonSchema } from "./json-schema.ts";
import { anchor, code, page, table } from "./markdown.ts";
import { isMap } from "./raw.ts";

const intro = `\
Every section is optional, and so is the file's content: an empty configuration is a right one. \`outrigger check\` says
what is wrong with a file, with line and column, and in sentences what it will do. \`outrigger schema\` prints the JSON
Schema for editors. Unknown keys are faults.`;

const forms = `\
## How values are written

| what | how | examples |
|---|---|---|
| duration | a number with its unit; 0 switches a timeout off | \`250ms\`, \`15s\`, \`5m\`, \`1h\` |
| size | a number of bytes, or one with its unit | \`64KiB\`, \`1MiB\`, \`2GiB\`, \`1000\` |
| address | a port of every address, IPv4 and IPv6; or one address with a port | \`8080\`, \`127.0.0.1:8080\`, \`"[::1]:8080"\` |
| name | up to 63 letters, digits, \`.\`, \`_\`, \`-\` | \`web\` |
| path | relative to the folder of the configuration, or absolute | \`./page.html\`, \`/var/log/app.log\` |
| regular expression | JavaScript's, with the \`u\` flag; matches anywhere unless anchored | \`"^v[0-9]+$"\` |
| drop-in | its name, or a map of its name and its options | \`stdout\`, \`{ stdout: {} }\` |

**References.** In every value, \`\${NAME}\` is replaced by the environment variable and \`\${file:/path}\` by the text of a
file, less one line end at its end; a relative path starts at the folder of the configuration. It happens after the YAML
is parsed, and what comes in is never parsed again: it is text, whatever it looks like. Where a number or true or false is
wanted, text that is exactly one is taken for it. A missing variable or file is a fault. \`$\${NAME}\` is the literal
\`\${NAME}\`. Keys are never replaced. In YAML's flow style (\`{ … }\`) a reference needs quotes.

**YAML.** One document, YAML 1.2: \`yes\` and \`on\` are texts. Anchors, aliases and merge keys (\`<<:\`) work.`;

/** The configuration reference in Markdown. */
export function configPage(schema: JsonSchema): string {
  return page(
    "Configuration reference",
    intro,
    forms,
    "## Sections",
    rows(schema),
    ...new Sections().below(schema, ""),
  );
}

/** One heading per map of options; the same map is described once. */
class Sections {
  readonly #described = new Map<string, string>();

  below(schema: JsonSchema, path: string): string[] {
    return Object.entries(schema.properties ?? {}).flatMap(([key, member]) =>
      maps(member, path === "" ? key : `${path}.${key}`).flatMap((found) => this.#section(found.schema, found.path)),
    );
  }

  #section(schema: JsonSchema, path: string): string[] {
    const same = JSON.stringify(schema.properties);
    const earlier = this.#described.get(same);
    const title = code(path);
    if (earlier !== undefined)
      return [`${heading(path)} ${title}`, `The same options as [${code(earlier)}](#${anchor(earlier)}).`];
    this.#described.set(same, path);
    return [`${heading(path)} ${title}`, rows(schema), ...this.below(schema, path)];
  }
}

function heading(path: string): string {
  return "#".repeat(Math.min(4, 2 + path.split(".").length - 1));
}

/** The maps of options in a value's forms: the value itself, the items of a list, the values of a map. */
function maps(schema: JsonSchema, path: string): { schema: JsonSchema; path: string }[] {
  if (schema.properties !== undefined) return Object.keys(schema.properties).length === 0 ? [] : [{ schema, path }];
  if (schema.items !== undefined) return maps(schema.items, `${path}[]`);
  if (isMap(schema.additionalProperties)) return maps(schema.additionalProperties, `${path}.<name>`);
  return (schema.anyOf ?? []).flatMap((one) => maps(one, path));
}

function rows(schema: JsonSchema): string {
  const entries = Object.entries(schema.properties ?? {}).map(([key, member]) => [
    code(key),
    typeText(member),
    defaultText(member, schema.required?.includes(key) === true),
    member.description ?? "",
  ]);
  return table(["key", "type", "default", "meaning"], entries);
}

function defaultText(schema: JsonSchema, required: boolean): string {
  if (required) return "**required**";
  if (schema["x-default"] !== undefined)
    return schema["x-default"].includes("`") ? schema["x-default"] : shortOrWords(schema["x-default"]);
  if (schema.default === undefined || isMap(schema.default)) return "";
  return code(String(schema.default));
}

/** A value is code, a phrase is not. */
function shortOrWords(text: string): string {
  return /^\S+$/.test(text) && text !== "none" ? code(text) : text;
}

const typeNames: Record<string, string> = {
  boolean: "true or false",
  integer: "whole number",
  number: "number",
  string: "text",
  object: "options",
};

/** A value's type in a few words. */
export function typeText(schema: JsonSchema): string {
  if (schema.title !== undefined) return schema.title;
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeText))].join(", or ");
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(" or ");
  if (schema.const !== undefined) return code(String(schema.const));
  if (schema.items !== undefined) return `list of ${typeText(schema.items)}`;
  if (isMap(schema.additionalProperties)) return `map of name to ${typeText(schema.additionalProperties)}`;
  const bounds = boundsText(schema);
  return `${typeNames[String(schema.type)] ?? "anything"}${bounds === "" ? "" : ` ${bounds}`}`;
}

function boundsText({ minimum, maximum }: JsonSchema): string {
  const from = minimum !== undefined && minimum !== Number.MIN_SAFE_INTEGER ? `from ${minimum}` : "";
  const to = maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER ? `to ${maximum}` : "";
  return [from, to].filter(Boolean).join(" ");
}
