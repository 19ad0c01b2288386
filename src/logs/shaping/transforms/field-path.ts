import type { FieldName } from "../line-looks.ts";
import { put } from "../parsing/format.ts";

type Fields = Record<string, unknown>;

/** A field of a record by its name. `a.b` is `b` in `a`, unless there is a field of that very name. */
export class FieldPath {
  /** As it is written in the configuration. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The same for who looks into a line. */
  get nameBytes(): FieldName {
    const parents: Buffer[] = [];
    for (let dot = this.text.indexOf("."); dot > 0; dot = this.text.indexOf(".", dot + 1)) {
      parents.push(Buffer.from(this.text.slice(0, dot)));
    }
    return { whole: Buffer.from(this.text), parents };
  }

  get(fields: Fields): unknown {
    // What is found at once costs no object.
    if (Object.hasOwn(fields, this.text)) return fields[this.text];
    const place = placeOf(fields, this.text);
    return place === undefined ? undefined : place.fields[place.name];
  }

  /** False when there is no such field. */
  remove(fields: Fields): boolean {
    const place = placeOf(fields, this.text);
    if (place === undefined) return false;
    delete place.fields[place.name];
    return true;
  }

  /** Gives the field, where it is there, another value. */
  replace(fields: Fields, value: unknown): boolean {
    const place = placeOf(fields, this.text);
    if (place === undefined) return false;
    put(place.fields, place.name, value);
    return true;
  }

  /** Sets the field; one that is not there is made as deep as the fields above it are there, else by its whole name. */
  set(fields: Fields, value: unknown): void {
    if (!this.replace(fields, value)) {
      const { parent, name } = parentOf(fields, this.text);
      put(parent, name, value);
    }
  }
}

/** Which fields it is in, and its name there; undefined when there is none. */
function placeOf(fields: Fields, text: string): { fields: Fields; name: string } | undefined {
  if (Object.hasOwn(fields, text)) return { fields, name: text };
  for (let dot = text.indexOf("."); dot > 0; dot = text.indexOf(".", dot + 1)) {
    const inner = ownFields(fields, text.slice(0, dot));
    const place = inner === undefined ? undefined : placeOf(inner, text.slice(dot + 1));
    if (place !== undefined) return place;
  }
  return undefined;
}

/** Where a field that is not there is to be made: as deep as the fields above it are there. */
function parentOf(fields: Fields, text: string): { parent: Fields; name: string } {
  for (let dot = text.indexOf("."); dot > 0; dot = text.indexOf(".", dot + 1)) {
    const inner = ownFields(fields, text.slice(0, dot));
    if (inner !== undefined) return parentOf(inner, text.slice(dot + 1));
  }
  return { parent: fields, name: text };
}

function ownFields(fields: Fields, name: string): Fields | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return isFields(value) ? value : undefined;
}

/** An object as JSON has it, no list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
