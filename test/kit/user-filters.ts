/** Filter files as a user writes them, and an engine that runs them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Loaded, loadConfig } from "../../src/config/load.ts";
import type { UserFilter } from "../../src/config/schema.ts";
import { forwardTo, type ListenerOptions, TestEngine } from "./engine.ts";
import type { Scene } from "./filters.ts";
import { RawUpstream, type Script } from "./raw.ts";

/** What most filters of tests begin with. */
export const imports = `import { defineFilter } from "outrigger";\nimport * as z from "outrigger/zod";\n`;

/** A folder with filter files and a configuration that names them. */
export class FilterFolder {
  readonly folder = mkdtempSync(join(tmpdir(), "user-filters-"));

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** A file whose filter has this body: `phase: "shape", request(x) { … }`. */
  filter(name: string, body: string): string {
    return this.write(name, `${imports}export default defineFilter({ ${body} });\n`);
  }

  /** What loading says of a configuration. */
  inspect(config: string, env: Record<string, string> = {}): ReturnType<typeof loadConfig> {
    const path = this.write("outrigger.yaml", config);
    return loadConfig(path, { env: { OUTRIGGER_STATE_DIR: join(this.folder, "state"), ...env } });
  }

  async load(config: string, env: Record<string, string> = {}): Promise<Loaded> {
    const result = await this.inspect(config, env);
    if (!result.ok) throw new Error(result.faults.map(({ problem }) => problem).join("; "));
    return result;
  }

  /** The faults' sentences, the folder left out of them. */
  async faults(config: string, env: Record<string, string> = {}): Promise<string[]> {
    const result = await this.inspect(config, env);
    if (result.ok) return [];
    const shown = (text: string) => text.replaceAll(`${this.folder}/`, "");
    return result.faults.map(({ path, problem, remedy }) => `${path}: ${shown(problem)}; ${shown(remedy)}`);
  }

  /** These entries of `filters:`, loaded. */
  async filters(entries: string): Promise<readonly UserFilter[]> {
    const { config } = await this.load(
      `filters:\n${entries}\ninbound:\n  - { listen: "127.0.0.1:1", to: "http://127.0.0.1:2" }\n`,
    );
    return config.inbound[0]!.filters;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** An engine that forwards to an upstream through these filters. */
export async function userScene(
  filters: readonly UserFilter[],
  script: Script,
  options: Partial<ListenerOptions> = {},
): Promise<Scene & Disposable> {
  const upstream = new RawUpstream(script);
  const engine = await TestEngine.start({ routes: forwardTo(upstream.port), filters, ...options });
  const stop = () => {
    engine.stop();
    upstream.stop();
  };
  return { engine, upstream, port: engine.port(), [Symbol.dispose]: stop };
}
