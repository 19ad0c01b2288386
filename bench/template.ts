/**
 * Config templates: `{{place}}` is replaced, and a line may end with marks in a comment.
 *
 *   … # only: tls          the line stands only where the switch is on
 *   … # not: tls           only where it is off
 *   … # each: routes       once for each of them, with {{n}} counting from 1
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./layout.ts";

/** What differs between points and commands: a switch that is on is above 0, and a count says how many. */
export type Switches = Readonly<Record<string, number>>;

/** What replaces `{{…}}`. */
export type Places = Readonly<Record<string, string | number>>;

export const CONFIGS = join(ROOT, "bench/configs");

const MARKS = /\s*# ((?:only|not|each): [\w-]+(?:, (?:only|not|each): [\w-]+)*)$/;

/** The text of a template under `bench/configs`. */
export async function fill(template: string, places: Places, switches: Switches = {}): Promise<string> {
  return fillText(await readFile(join(CONFIGS, template), "utf8"), places, switches);
}

/** @throws when a place has no value: a config with holes would be measured as something else. */
export function fillText(text: string, places: Places, switches: Switches): string {
  const all: Places = { ...places, ...switches };
  return text
    .split("\n")
    .flatMap((line) => lines(line, switches))
    .join("\n")
    .replace(/\{\{(\w+)\}\}/g, (_, place: string) => {
      const value = all[place];
      if (value === undefined) throw new Error(`nothing is known to replace {{${place}}} with`);
      return String(value);
    });
}

/** What becomes of one line of a template. */
function lines(line: string, switches: Switches): string[] {
  const marks = MARKS.exec(line);
  if (!marks) return [line];
  let times = 1;
  for (const mark of marks[1]!.split(", ")) {
    const [kind, name] = mark.split(": ") as [string, string];
    const value = switches[name] ?? 0;
    if (kind === "each") times = value;
    else if (value > 0 === (kind === "not")) return [];
  }
  const text = line.slice(0, marks.index);
  return Array.from({ length: times }, (_, i) => text.replaceAll("{{n}}", String(i + 1)));
}
