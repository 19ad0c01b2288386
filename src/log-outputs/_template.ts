/**
 * Names with places that lines fill in: `/archive/{fields.app}/{date}.log`. Only what is known of a whole source may
 * stand there, and the time of writing: never what a line says, which would let whoever writes logs choose names.
 */
import type { Clock, LogSource } from "../contracts.ts";

const place = /\{([a-z]+(?:\.[^{}]+)?)\}/g;

/** Fills in a template for one source after the other; a template without places costs nothing. */
export class Template {
  private readonly text: string;
  private readonly clock: Clock;
  private readonly clean: (value: string) => string;
  private readonly isFixed: boolean;

  /** @param clean makes a value safe where it will stand */
  constructor(text: string, clock: Clock, clean: (value: string) => string) {
    this.text = text;
    this.clock = clock;
    this.clean = clean;
    this.isFixed = !text.includes("{");
  }

  of(source: LogSource): string {
    return this.isFixed
      ? this.text
      : this.text.replace(place, (_, name: string) => this.clean(this.value(name, source)));
  }

  private value(name: string, source: LogSource): string {
    if (name.startsWith("fields.")) return fieldText(source.fields[name.slice("fields.".length)]);
    if (name === "input") return source.input;
    if (name === "path") return source.path;
    if (name === "file") return source.path.slice(source.path.lastIndexOf("/") + 1);
    const iso = new Date(this.clock.wall()).toISOString();
    return name === "hour" ? iso.slice(11, 13) : iso.slice(0, 10);
  }
}

function fieldText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** One name of a path: never empty, no way up or down, no control characters. */
export function pathName(value: string): string {
  const name = value.replace(/[/\\\p{Cc}]/gu, "_").slice(0, 200);
  return name === "" || /^\.+$/.test(name) ? "_" : name;
}
