/**
 * The Kubernetes API, as far as we need it: JSON objects read, written and listed, with the token of the pod's service
 * account. No client library (design D6).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isMap, itemsOf, memberOf, textOf } from "../config/raw.ts";
import type { Field } from "../contracts.ts";
import { Caller } from "./call.ts";

export interface KubernetesPlace {
  /** `https://10.0.0.1:443` */
  readonly server: string;
  /** Folder with `token` (read anew for each call: the kubelet renews it hourly), `ca.crt` and `namespace`. */
  readonly account: string;
}

/** A call that did not do what it should. */
export interface ApiTrouble {
  /** Of the answer; 0 when there was none. */
  readonly status: number;
  /** In words, with what was asked for. */
  readonly trouble: string;
}

/** The object that was answered with, or why there is none. */
export type ApiAnswer = { readonly object: unknown } | ApiTrouble;
export type ApiList = { readonly items: readonly unknown[] } | ApiTrouble;

/** Called for every call that failed: `what` is the kind of object, such as `secrets`. */
export type TroubleNoted = (what: string, trouble: ApiTrouble) => void;

/** Where Kubernetes mounts a pod's account. */
export const mountedAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

const mostBytes = 32 * 1024 * 1024;
/** Objects of one page of a list. */
const pageSize = 100;
/** A list that grows old while it is read begins anew (410), but not for ever. */
const mostBeginnings = 3;

/** The API server as a pod finds it; undefined outside a cluster. */
export function inClusterServer(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (host === undefined || host === "") return undefined;
  return `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

export class KubernetesApi {
  private readonly place: KubernetesPlace;
  private readonly caller: Caller;
  private readonly noted: TroubleNoted;

  constructor(place: KubernetesPlace, noted: TroubleNoted = () => {}) {
    this.place = place;
    this.noted = noted;
    this.caller = new Caller({
      tls: { ca: join(place.account, "ca.crt"), serverName: undefined, identity: undefined, insecure: false },
      connectMs: 5000,
      timeoutMs: 15_000,
      mostBytes,
    });
  }

  /** The namespace we run in; undefined where the account does not say. */
  get namespace(): string | undefined {
    const text = readOrNothing(join(this.place.account, "namespace"))?.trim();
    return text === "" ? undefined : text;
  }

  /** Never rejects; neither do the others. @param path `/api/v1/namespaces/shop` */
  get(path: string, signal?: AbortSignal): Promise<ApiAnswer> {
    return this.ask("GET", path, undefined, "", signal);
  }

  create(path: string, object: object): Promise<ApiAnswer> {
    return this.ask("POST", path, object, "application/json");
  }

  /** Replaces the object; with a resource version in it, 409 when it is not that one any more. */
  replace(path: string, object: object): Promise<ApiAnswer> {
    return this.ask("PUT", path, object, "application/json");
  }

  /** JSON Patch (RFC 6902). */
  patch(path: string, operations: readonly object[]): Promise<ApiAnswer> {
    return this.ask("PATCH", path, operations, "application/json-patch+json");
  }

  /** All objects of a kind, read in pages. @param query such as `labelSelector=app%3Dweb` */
  async list(path: string, query = ""): Promise<ApiList> {
    for (let beginning = 1; ; beginning++) {
      const all = await this.pages(path, query);
      const isTooOld = "status" in all && all.status === 410;
      if (!isTooOld || beginning === mostBeginnings) return all;
    }
  }

  close(): void {
    this.caller.close();
  }

  private async pages(path: string, query: string): Promise<ApiList> {
    const items: unknown[] = [];
    let next = "";
    do {
      const mark = next === "" ? "" : `&continue=${encodeURIComponent(next)}`;
      const answer = await this.get(`${path}?limit=${pageSize}${query === "" ? "" : `&${query}`}${mark}`);
      if (!("object" in answer)) return answer;
      items.push(...itemsOf(answer.object, "items"));
      next = textOf(memberOf(answer.object, "metadata"), "continue") ?? "";
    } while (next !== "");
    return { items };
  }

  private async ask(
    method: string,
    path: string,
    body: object | undefined,
    type: string,
    signal?: AbortSignal,
  ): Promise<ApiAnswer> {
    const answer = await this.send(method, path, body, type, signal);
    if (!("object" in answer)) this.noted(kindOf(path), answer);
    return answer;
  }

  private async send(
    method: string,
    path: string,
    body: object | undefined,
    type: string,
    signal: AbortSignal | undefined,
  ): Promise<ApiAnswer> {
    const asked = `${method} ${path.replace(/\?.*/, "")}`;
    const token = readOrNothing(join(this.place.account, "token"))?.trim();
    if (token === undefined || token === "")
      return { status: 0, trouble: `${asked}: there is no token in ${this.place.account}` };
    const headers: Field[] = [
      ["Authorization", `Bearer ${token}`],
      ["Accept", "application/json"],
      ...(body === undefined ? [] : [["Content-Type", type] as const]),
    ];
    const bytes = body === undefined ? [] : [Buffer.from(JSON.stringify(body))];
    const answer = await this.caller.call({ method, url: this.place.server + path, headers, body: bytes }, signal);
    if ("failure" in answer) return { status: 0, trouble: `${asked}: ${answer.failure}, ${answer.detail}` };
    if (answer.truncated) return { status: 0, trouble: `${asked}: the answer is longer than ${mostBytes} bytes` };
    const object = parsed(answer.body);
    if (answer.status >= 200 && answer.status < 300 && isMap(object)) return { object };
    const words = textOf(object, "message") ?? answer.body.toString("utf8", 0, 200);
    return { status: answer.status, trouble: `${asked}: ${answer.statusText}${words === "" ? "" : `, ${words}`}` };
  }
}

/** `secrets` of `/api/v1/namespaces/x/secrets/y`. */
function kindOf(path: string): string {
  const parts = path
    .replace(/\?.*/, "")
    .split("/")
    .slice(path.startsWith("/apis/") ? 4 : 3);
  return (parts[0] === "namespaces" ? parts[2] : undefined) ?? parts[0] ?? "";
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
