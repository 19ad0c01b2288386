/** Names of indices and data streams, made of fields and of the day. */
import type { LogFields } from "../contracts.ts";

/** `{app}`, or `{%Y.%m.%d}`. */
const place = /\{([^{}]*)\}/g;

export class IndexName {
  private readonly template: string;
  /** It has a date in it: a batch may belong to several. */
  readonly isDated: boolean;
  /** It has fields in it. */
  readonly isNamed: boolean;

  constructor(template: string) {
    this.template = template;
    const places = [...template.matchAll(place)].map(([, inner = ""]) => inner);
    this.isDated = places.some((inner) => inner.includes("%"));
    this.isNamed = places.some((inner) => !inner.includes("%"));
  }

  /** @param time ISO 8601 in UTC @param fields a missing one is `unknown` */
  of(fields: LogFields, time: string): string {
    const name = this.template.replace(place, (_, inner: string) => {
      if (inner.includes("%")) return dated(inner, time);
      const value = fields[inner];
      return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
        ? String(value)
        : "unknown";
    });
    return legal(name);
  }
}

function dated(pattern: string, time: string): string {
  const parts: Record<string, string> = {
    Y: time.slice(0, 4),
    m: time.slice(5, 7),
    d: time.slice(8, 10),
    H: time.slice(11, 13),
    "%": "%",
  };
  return pattern.replace(/%(.)/g, (whole, letter: string) => parts[letter] ?? whole);
}

/** Lower case, without what Elasticsearch forbids, at most 255 bytes. */
function legal(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[\\/*?"<>| ,#:%\u0000-\u001f]/g, "-")
    .replace(/^[-_+.]+/, "");
  let cut = plain;
  while (Buffer.byteLength(cut) > 255) cut = cut.slice(0, -1);
  return cut === "" ? "unknown" : cut;
}
