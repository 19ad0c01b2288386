/**
 * A FAKE of the Kubernetes API server: objects in memory, and the rules our calls have to live with. It wants TLS and a
 * token, counts resource versions and answers 409 to who comes late, pages lists and lets their marks grow old (410).
 * It knows no schema and does no admission; what it is stricter or laxer in than a real one was read, not measured.
 */
import { applyPatch, type Operation } from "rfc6902";

export interface FakeObject {
  apiVersion?: string;
  kind?: string;
  metadata: { name: string; namespace?: string; resourceVersion?: string; uid?: string; [key: string]: unknown };
  [key: string]: unknown;
}

export interface FakeOptions {
  readonly cert: string;
  readonly key: string;
  readonly token: string;
}

/** One that came in, in the API's words: `update`, `secrets`. */
export interface FakeCall {
  readonly verb: "get" | "list" | "create" | "update" | "patch";
  readonly kind: string;
  readonly path: string;
}

const collection =
  /^\/(?:api\/v1|apis\/[a-z0-9.]+\/v1)\/(?:namespaces\/[a-z0-9-]+\/(?:secrets|events|pods)|namespaces|nodes|pods|mutatingwebhookconfigurations)$/;

export class FakeKubernetes {
  readonly calls: FakeCall[] = [];
  /** Rights that are missing: `update secrets`. */
  readonly forbidden = new Set<string>();
  /** Called before each call is carried out: another client may do something in between. */
  before: (call: FakeCall) => void = () => {};
  /** Every call is answered with this status instead. */
  failing: number | undefined;
  token: string;
  private readonly server: ReturnType<typeof Bun.serve>;
  private readonly objects = new Map<string, FakeObject>();
  private version = 1;
  /** Marks of lists from before this version are too old. */
  private oldest = 0;

  constructor({ cert, key, token }: FakeOptions) {
    this.token = token;
    this.server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert, key },
      fetch: (request) => this.answer(request),
    });
  }

  get url(): string {
    return `https://127.0.0.1:${this.server.port}`;
  }

  stop(): void {
    void this.server.stop(true);
  }

  /** Puts an object there, whatever was there. @param path of the object */
  put(path: string, object: object): void {
    const before = this.objects.get(path);
    const metadata = { name: path.split("/").at(-1)!, uid: `uid-${path}`, ...before?.metadata };
    const given = object as Partial<FakeObject>;
    this.objects.set(path, {
      ...given,
      metadata: { ...metadata, ...given.metadata, resourceVersion: String(++this.version) },
    });
  }

  remove(path: string): void {
    this.objects.delete(path);
    this.version++;
  }

  object(path: string): FakeObject | undefined {
    return this.objects.get(path);
  }

  /** Objects right below a path. */
  under(path: string): FakeObject[] {
    return [...this.objects].filter(([at]) => isBelow(at, path)).map(([, object]) => object);
  }

  /** Lists that are being read have to begin anew. */
  growOld(): void {
    this.oldest = ++this.version;
  }

  count(verb: FakeCall["verb"], kind: string): number {
    return this.calls.filter((call) => call.verb === verb && call.kind === kind).length;
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname: path, searchParams } = new URL(request.url);
    if (request.headers.get("authorization") !== `Bearer ${this.token}`) return status(401, "Unauthorized");
    if (this.failing !== undefined) return status(this.failing, "the server is failing");
    const isCollection = collection.test(path);
    if (!isCollection && !collection.test(path.replace(/\/[^/]+$/, ""))) return status(404, "no such path");
    const call = callOf(request.method, path, isCollection);
    if (call === undefined) return status(405, `${request.method} is not for ${path}`);
    this.calls.push(call);
    if (this.forbidden.has(`${call.verb} ${call.kind}`))
      return status(403, `${call.kind} is forbidden: User "system:serviceaccount:test" cannot ${call.verb}`);
    const body = request.method === "GET" ? undefined : await bodyOf(request);
    if (body instanceof Response) return body;
    this.before(call);
    if (call.verb === "list") return this.list(path, searchParams);
    return call.verb === "create" ? this.create(path, body as FakeObject) : this.single(call, body);
  }

  private single({ verb, path }: FakeCall, body: unknown): Response {
    const there = this.objects.get(path);
    if (there === undefined) return status(404, `"${path.split("/").at(-1)}" not found`);
    if (verb === "get") return Response.json(there);
    return verb === "update"
      ? this.update(path, there, body as FakeObject)
      : this.patch(path, there, body as Operation[]);
  }

  private create(path: string, body: FakeObject): Response {
    const { name, namespace } = body.metadata;
    const wanted = /\/namespaces\/([^/]+)\/[a-z]+$/.exec(path)?.[1];
    if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name ?? "")) return status(422, `metadata.name: invalid: ${name}`);
    if (wanted !== undefined && namespace !== undefined && namespace !== wanted)
      return status(400, "the namespace of the object does not match that of the request");
    if (this.objects.has(`${path}/${name}`)) return status(409, `"${name}" already exists`, "AlreadyExists");
    this.put(`${path}/${name}`, body);
    return Response.json(this.objects.get(`${path}/${name}`), { status: 201 });
  }

  private update(path: string, there: FakeObject, body: FakeObject): Response {
    const { resourceVersion } = body.metadata;
    if (resourceVersion === undefined || resourceVersion !== there.metadata.resourceVersion)
      return status(409, "the object has been modified; please apply your changes to the latest version", "Conflict");
    if (body.metadata.uid !== there.metadata.uid) return status(409, "uid mismatch", "Conflict");
    this.put(path, body);
    return Response.json(this.objects.get(path));
  }

  private patch(path: string, there: FakeObject, operations: Operation[]): Response {
    const copy = structuredClone(there);
    const failures = applyPatch(copy, operations).filter((failure) => failure !== null);
    if (failures.length > 0) return status(422, `the patch does not apply: ${failures[0]!.message}`, "Invalid");
    for (const { clientConfig } of (copy.webhooks as { clientConfig?: { caBundle?: string } }[] | undefined) ?? []) {
      const text = Buffer.from(clientConfig?.caBundle ?? "", "base64").toString();
      if (text !== "" && !/^(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n)+$/.test(text))
        return status(422, "clientConfig.caBundle: unable to load root certificates", "Invalid");
    }
    this.put(path, copy);
    return Response.json(this.objects.get(path));
  }

  private list(path: string, query: URLSearchParams): Response {
    const [version = "", at = "0"] = (query.get("continue") ?? "").split("/");
    if (version !== "" && Number(version) < this.oldest)
      return status(410, "the provided continue parameter is too old", "Expired");
    const isEverywhere = /^\/api\/v1\/pods$/.test(path);
    const objects = isEverywhere
      ? [...this.objects].filter(([place]) => /\/pods\/[^/]+$/.test(place)).map(([, object]) => object)
      : this.under(path);
    const found = objects.filter((object) => selects(query.get("labelSelector") ?? "", object));
    const end = Number(at) + Number(query.get("limit") ?? 500);
    const mark = end < found.length ? `${version || this.version}/${end}` : "";
    return Response.json({
      apiVersion: "v1",
      kind: "List",
      metadata: { resourceVersion: String(this.version), ...(mark !== "" && { continue: mark }) },
      items: found.slice(Number(at), end),
    });
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`) && !path.slice(folder.length + 1).includes("/");
}

function callOf(method: string, path: string, isCollection: boolean): FakeCall | undefined {
  const place = isCollection ? path : path.replace(/\/[^/]+$/, "");
  const kind = place.split("/").at(-1)!;
  const verbs = isCollection ? { GET: "list", POST: "create" } : { GET: "get", PUT: "update", PATCH: "patch" };
  const verb = (verbs as Record<string, FakeCall["verb"]>)[method];
  return verb === undefined ? undefined : { verb, kind, path };
}

async function bodyOf(request: Request): Promise<unknown> {
  const wanted = request.method === "PATCH" ? "application/json-patch+json" : "application/json";
  if (request.headers.get("content-type") !== wanted) return status(415, `send ${wanted}`);
  return request.json();
}

/** Equality and inequality, as we use them. */
function selects(selector: string, { metadata }: FakeObject): boolean {
  const labels = (metadata.labels ?? {}) as Record<string, string>;
  return selector
    .split(",")
    .filter(Boolean)
    .every((term) => {
      const [, key, operator, value] = /^([^=!]+)(!=|=)(.*)$/.exec(term)!;
      return (labels[key!] === value) === (operator === "=");
    });
}

function status(code: number, message: string, reason = ""): Response {
  const body = { apiVersion: "v1", kind: "Status", status: "Failure", code, reason, message };
  return Response.json(body, { status: code });
}
