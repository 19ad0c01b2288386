/** Quantities of Kubernetes: `500m`, `64Mi`, `1.5`, `2e3` (apimachinery's resource.Quantity). */

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const form = /^(\d+(?:\.\d*)?|\.\d+)(?:(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?|[eE]([+-]?\d{1,2}))$/;

/** Cores, bytes or whatever is counted; undefined when it is no quantity. JSON may hold a bare number. */
export function amountOf(value: unknown): number | undefined {
  const match = typeof value === "string" || typeof value === "number" ? form.exec(String(value)) : null;
  if (match === null) return undefined;
  const [, digits = "", suffix = "", exponent] = match;
  return Number(digits) * (exponent === undefined ? suffixes[suffix]! : 10 ** Number(exponent));
}

/** True for a quantity above zero. */
export function isQuantity(text: string): boolean {
  return (amountOf(text) ?? 0) > 0;
}

/** True when both are quantities of the same amount: `1` and `1000m`. */
export function sameAmount(a: unknown, b: unknown): boolean {
  const [one, other] = [amountOf(a), amountOf(b)];
  return one !== undefined && other !== undefined && Math.abs(one - other) <= 1e-12 * Math.max(one, other);
}

/** Cores as people write them: `50m`, `1`, `1.5`. */
export function formatCores(cores: number): string {
  const milli = Math.round(cores * 1000);
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
}

/** Bytes in the largest binary unit that divides them. */
export function formatBytes(bytes: number): string {
  for (const unit of ["Gi", "Mi", "Ki"]) {
    const size = suffixes[unit]!;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}
