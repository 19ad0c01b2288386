/** Names of indices and data streams, made of fields and of the day. */
import type { LogFields } from "../contracts.ts";

/** `{app}`, or `{%Y.%m.%d}`. */
const place = /\{([^{}]*)\}/g;

/** Names remembered: a value for each line must not fill the memory. */
const mostNames = 1_000;

export class IndexName {
  private readonly template: string;
  /** Names of fields in it. */
  readonly fields: readonly string[];
  /** It has a date in it: a batch may belong to several. */
  readonly isDated: boolean;
  /** By the values of its places: making a name costs more than the document it is for. */
  private readonly names = new Map<string, string>();

  constructor(template: string) {
    this.template = template;
    const places = [...template.matchAll(place)].map(([, inner = ""]) => inner);
    this.isDated = places.some((inner) => inner.includes("%"));
    this.fields = places.filter((inner) => !inner.includes("%"));
  }

  /** @param time ISO 8601 in UTC @param own before those of the source; one that neither has is `unknown` */
  of(ofSource: LogFields, own: LogFields, time: string): string {
    let key = this.isDated ? time.slice(0, 13) : "";
    for (const name of this.fields) key += `\u0000${textOf(name, ofSource, own)}`;
    let known = this.names.get(key);
    if (known === undefined) {
      known = this.made(ofSource, own, time);
      if (this.names.size >= mostNames) this.names.clear();
      this.names.set(key, known);
    }
    return known;
  }

  private made(ofSource: LogFields, own: LogFields, time: string): string {
    return legal(
      this.template.replace(place, (_, inner: string) =>
        inner.includes("%") ? dated(inner, time) : textOf(inner, ofSource, own),
      ),
    );
  }
}

function textOf(name: string, ofSource: LogFields, own: LogFields): string {
  const value = Object.hasOwn(own, name) ? own[name] : ofSource[name];
  const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return isPlain ? String(value) : "unknown";
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
