/** The log worker's drop-ins, each with its metrics declared in this thread before it is made. */
import type { MetricDeclaration } from "../contracts.ts";
import type { LogRegistry } from "./routes.ts";

type Listed<D> = Readonly<Record<string, () => Promise<{ default: D }>>>;
type Declares = { readonly metrics?: Readonly<Record<string, MetricDeclaration>> };
type Declare = (table: Readonly<Record<string, MetricDeclaration>>) => void;

/** A registry like the other, which calls `declare` for each drop-in it loads. */
export function declaring(registry: LogRegistry, declare: Declare): LogRegistry {
  return {
    logInputs: listed(registry.logInputs, declare),
    logTransforms: listed(registry.logTransforms, declare),
    logOutputs: listed(registry.logOutputs, declare),
  };
}

function listed<D extends Declares>(all: Listed<D>, declare: Declare): Listed<D> {
  const loading = Object.entries(all).map(([name, load]) => {
    const declared = async () => {
      const loaded = await load();
      declare(loaded.default.metrics ?? {});
      return loaded;
    };
    return [name, declared] as const;
  });
  return Object.fromEntries(loading);
}
