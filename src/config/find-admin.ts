/** Where a running sidecar is asked, found the way the sidecar itself finds it, from another process. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UserError } from "../errors.ts";
import { adminSocketName, parseAdmin } from "./admin.ts";
import { ConfigDocument } from "./document.ts";
import { findConfig } from "./find.ts";
import { toPlain } from "./plain.ts";
import { memberOf, textOf } from "./raw.ts";
import { fileTrouble } from "./reading.ts";
import { type Environment, References } from "./references.ts";
import type { AdminPlace } from "./schema.ts";
import { stateCandidates } from "./state.ts";

/** How to reach it: a Unix socket, or an address of loopback. */
export type AdminEnd = { readonly unix: string } | { readonly address: string };

interface Said {
  readonly admin: AdminPlace;
  /** Absolute. */
  readonly state: string | undefined;
}

/**
 * The admin end of the sidecar that runs with this configuration. The file need not be right as a whole: one that runs
 * on its last good text must be found as well.
 * @throws UserError (exit 3) when there is none, (exit 1) when the file that was named cannot be read
 */
export function findAdmin(configFlag: string | undefined, env: Environment): AdminEnd {
  const file = findConfig(configFlag, env);
  const isNamed = configFlag !== undefined || Boolean(env.OUTRIGGER_CONFIG);
  const { admin, state } = isNamed || existsSync(file) ? readConfig(file, env) : nothingSaid;
  if (admin === "off") throw new UserError(`${file} says admin: off, so the sidecar cannot be asked`, 3);
  if (admin !== "socket") return { address: admin.text };
  const sockets = stateCandidates({ state }, env).map(({ folder }) => join(folder, adminSocketName));
  const unix = sockets.find((path) => existsSync(path));
  if (unix !== undefined) return { unix };
  throw new UserError(
    `no sidecar was found: there is no ${sockets.join(", and no ")}; start one, or name its configuration with -c FILE`,
    3,
  );
}

const nothingSaid: Said = { admin: "socket", state: undefined };

function readConfig(file: string, env: Environment): Said {
  const document = new ConfigDocument(file, textIn(file));
  if (document.broken) return nothingSaid;
  const folder = dirname(resolve(file));
  const references = new References(env, folder);
  const { value } = toPlain(document, (scalar, path) => references.read(scalar, path));
  const written = memberOf(value, "admin");
  const admin = written === undefined || written === null ? undefined : parseAdmin(String(written));
  const state = textOf(value, "state");
  return {
    admin: admin !== undefined && "value" in admin ? admin.value : "socket",
    state: state === undefined ? undefined : resolve(folder, state),
  };
}

function textIn(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`${file}: the file ${fileTrouble(error)}; name a configuration with -c FILE`, 1);
  }
}
