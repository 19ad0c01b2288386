/** Names of fields as a configuration writes them: `a.b` is `b` in `a`, unless there is a field of that very name. */
type Fields = Record<string, unknown>;

export class FieldPath {
  private readonly name: string;
  private readonly first: string | undefined;
  private readonly rest: FieldPath | undefined;

  constructor(name: string) {
    this.name = name;
    const dot = name.indexOf(".");
    this.first = dot < 0 ? undefined : name.slice(0, dot);
    this.rest = dot < 0 ? undefined : new FieldPath(name.slice(dot + 1));
  }

  /** Undefined where there is no such field. */
  valueIn(fields: Fields | undefined): unknown {
    if (fields === undefined) return undefined;
    const value = fields[this.name];
    // What every object inherits is no field; no field is a function.
    if (value !== undefined && typeof value !== "function" && this.name !== "__proto__") return value;
    if (this.rest === undefined) return Object.hasOwn(fields, this.name) ? value : undefined;
    const inner = fields[this.first!];
    return isFields(inner) ? this.rest.valueIn(inner) : undefined;
  }

  remove(fields: Fields): void {
    if (Object.hasOwn(fields, this.name)) delete fields[this.name];
    else if (this.rest !== undefined) {
      const inner = fields[this.first!];
      if (isFields(inner)) this.rest.remove(inner);
    }
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
