/** How the texts of annotations are read: one kind for each sort of value. */
import { parseCidr } from "../config/cidr.ts";
import { isQuantity } from "./quantities.ts";

/** A value, or why the text is none. */
export type Reading<T> = { readonly value: T } | { readonly problem: string };

/** A sort of value. */
export interface Kind<T> {
  /** What may be written, as the object of "write". */
  readonly form: string;
  /** The only texts there are, where they can be listed. */
  readonly allowed?: readonly string[];
  read(text: string): Reading<T>;
}

/** One of a few words. */
export function word<const W extends string>(...allowed: W[]): Kind<W> {
  const find = (text: string) => allowed.find((one) => one === text);
  return {
    form: `${allowed.slice(0, -1).join(", ")} or ${allowed.at(-1)}`,
    allowed,
    read: (text) => {
      const value = find(text);
      return value === undefined ? { problem: `"${text}" is not known` } : { value };
    },
  };
}

/** A text that fits a pattern. */
export function text(form: string, pattern: RegExp): Kind<string> {
  return {
    form,
    read: (value) => (pattern.test(value) ? { value } : { problem: `"${shortened(value)}" is not ${form}` }),
  };
}

/** A Kubernetes quantity above zero, kept as written. */
export function quantity(example: string): Kind<string> {
  const form = `a quantity such as ${example}`;
  return {
    form,
    read: (value) => (isQuantity(value) ? { value } : { problem: `"${shortened(value)}" is not ${form}` }),
  };
}

/** A whole number within bounds. */
export function whole(from: number, to: number): Kind<number> {
  const form = `a whole number from ${from} to ${to}`;
  return { form, read: (value) => readWhole(value, from, to, form) };
}

function readWhole(value: string, from: number, to: number, form: string): Reading<number> {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  return number >= from && number <= to ? { value: number } : { problem: `"${shortened(value)}" is not ${form}` };
}

/** Values between commas; spaces around them do not count. */
export function list<T>(item: Kind<T>, form: string): Kind<readonly T[]> {
  return {
    form,
    read: (value) => {
      const readings = value.split(",").map((one) => item.read(one.trim()));
      const wrong = readings.find((reading) => "problem" in reading);
      if (wrong !== undefined) return wrong;
      return { value: readings.flatMap((reading) => ("value" in reading ? [reading.value] : [])) };
    },
  };
}

/** A port of ours and the app's port it leads to. */
export interface PortPair {
  readonly listen: number;
  readonly app: number;
}

const port = whole(1, 65_535);

/** `8080:7878`. */
export const portPair: Kind<PortPair> = {
  form: "a port of the sidecar and the port of the app it leads to, such as 8080:7878",
  read(value) {
    const [listen, app, more] = value.split(":").map((one) => port.read(one));
    if (listen === undefined || app === undefined || more !== undefined || "problem" in listen || "problem" in app)
      return { problem: `"${shortened(value)}" is not ${portPair.form}` };
    return { value: { listen: listen.value, app: app.value } };
  },
};

/** A range of addresses, kept as written. */
export const cidr: Kind<string> = {
  form: "a range of addresses such as 10.0.0.0/8",
  read(value) {
    const parsed = parseCidr(value);
    return "problem" in parsed ? { problem: parsed.problem } : { value };
  },
};

/** Variables, `NAME=value`, between commas; or one a line, so that values may have commas. */
export const variables: Kind<Readonly<Record<string, string>>> = {
  form: "NAME=value, several between commas or one a line",
  read(value) {
    const found: Record<string, string> = {};
    for (const one of value.split(value.includes("\n") ? "\n" : ",").map((part) => part.trim())) {
      if (one === "") continue;
      const [, name, content] = /^([A-Za-z_]\w*)=(.*)$/.exec(one) ?? [];
      if (name === undefined || content === undefined) return { problem: `"${shortened(one)}" is not NAME=value` };
      if (name in found) return { problem: `${name} stands there twice` };
      found[name] = content;
    }
    return { value: found };
  },
};

function shortened(value: string): string {
  return value.length > 60 ? `${value.slice(0, 60)}…` : value;
}
