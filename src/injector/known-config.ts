/**
 * What an injector wants to know of a sidecar's configuration, where it can see it: ports, folders of logs, and what
 * guards them. It reads the text leniently: whether it is right, `outrigger check` says.
 */
import { dirname } from "node:path";
import { parseDocument } from "yaml";
import { parseAddress } from "../config/address.ts";
import { isMap, itemsOf, memberOf, textOf } from "../config/raw.ts";
import { syntaxOffset, syntaxWords } from "../config/syntax.ts";

/** An inbound listener. */
export interface KnownListener {
  readonly listen: number;
  /** The app's port it leads to, when that is one of this pod. */
  readonly app: number | undefined;
  /** Keys in it that refuse requests: `authenticate`, `rateLimit`, … */
  readonly guards: readonly string[];
  /** It takes redirected connections. */
  readonly isCapture: boolean;
}

export interface KnownConfig {
  readonly inbound: readonly KnownListener[];
  /** Ports of outbound listeners that take redirected connections. */
  readonly outboundCaptures: readonly number[];
  /** The app may stop the sidecar by itself (`shutdown: { quit: true }`). */
  readonly canQuit: boolean;
  readonly health: { readonly port: number; readonly isLoopback: boolean } | undefined;
  /** Folders of the files that are collected, as far as they are known. */
  readonly logFolders: readonly string[];
  /** Variables without a value here, which a path of logs or an address has. */
  readonly unknownVariables: readonly string[];
}

const guardKeys = ["authenticate", "authorize", "rateLimit", "limitConcurrency", "filters"];

/** Reads the text; `variables` are the sidecar's. */
export function readKnownConfig(
  text: string,
  variables: Readonly<Record<string, string>>,
): KnownConfig | { readonly problem: string } {
  const document = parseDocument(text, { logLevel: "silent", prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined)
    return {
      problem: `line ${text.slice(0, syntaxOffset(error, text)).split("\n").length}: ${syntaxWords(error, text).problem}`,
    };
  const root: unknown = document.toJS();
  if (root !== null && !isMap(root)) return { problem: "the configuration is not a map" };
  return new ConfigReading(variables).read(root);
}

class ConfigReading {
  readonly #variables: Readonly<Record<string, string>>;
  readonly #unknown = new Set<string>();

  constructor(variables: Readonly<Record<string, string>>) {
    this.#variables = variables;
  }

  read(root: unknown): KnownConfig {
    const inbound = itemsOf(root, "inbound").flatMap((one) => this.#listener(one, memberOf(root, "filters")));
    const outbound = itemsOf(root, "outbound").filter((one) => memberOf(one, "capture") === true);
    const outboundCaptures = outbound.flatMap((one) => this.#address(memberOf(one, "listen"))?.port ?? []);
    const logFolders = [...new Set(itemsOf(root, "logs").flatMap((one) => this.#folders(memberOf(one, "files"))))];
    const health = this.#address(memberOf(root, "health"));
    const canQuit = memberOf(memberOf(root, "shutdown"), "quit") === true;
    return { inbound, outboundCaptures, canQuit, health, logFolders, unknownVariables: [...this.#unknown] };
  }

  #listener(listener: unknown, topFilters: unknown): KnownListener[] {
    const listen = this.#address(memberOf(listener, "listen"));
    if (listen === undefined) return [];
    const routes = itemsOf(listener, "routes");
    const targets = [listener, ...routes].map((one) => this.#appPort(textOf(one, "to")));
    const guards = guardKeys.filter((key) => [listener, ...routes].some((one) => isGiven(memberOf(one, key))));
    if (isGiven(topFilters) && !guards.includes("filters")) guards.push("filters");
    const app = targets.find((port) => port !== undefined);
    return [{ listen: listen.port, app, guards, isCapture: memberOf(listener, "capture") === true }];
  }

  #appPort(to: string | undefined): number | undefined {
    const target = to === undefined ? undefined : this.#resolved(to);
    const match = /^\w+:\/\/(?:localhost|127\.[\d.]+|\[::1\])(?::(\d+))?(?:\/|$)/.exec(target ?? "");
    if (match === null) return undefined;
    return match[1] === undefined ? (target?.startsWith("https") ? 443 : 80) : Number(match[1]);
  }

  #address(written: unknown): { port: number; isLoopback: boolean } | undefined {
    const text = typeof written === "string" ? this.#resolved(written) : written;
    if (typeof text !== "string" && typeof text !== "number") return undefined;
    const address = parseAddress(text);
    if ("problem" in address) return undefined;
    const { host, port } = address.value;
    return { port, isLoopback: host !== undefined && (host.startsWith("127.") || host === "::1") };
  }

  /** The folder of each pattern: what stands before its first wildcard. A folder that everything is in is none. */
  #folders(files: unknown): string[] {
    const patterns = [files].flat().flatMap((one) => (typeof one === "string" ? (this.#resolved(one) ?? []) : []));
    const folders = patterns.map((pattern) => dirname(pattern.replace(/[*?[{].*$/, "x")));
    return folders.filter((folder) => folder.startsWith("/") && folder !== "/");
  }

  #resolved(text: string): string | undefined {
    const missing = [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, name = ""]) => name);
    const unknown = missing.filter((name) => !Object.hasOwn(this.#variables, name));
    for (const name of unknown) this.#unknown.add(name);
    if (unknown.length > 0) return undefined;
    return text.replace(/\$\{([^}]*)\}/g, (_, name: string) => this.#variables[name] ?? "");
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
}
