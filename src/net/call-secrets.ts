/** Who we are to the far end of a call. */
import { readFileSync, statSync } from "node:fs";
import type { Field } from "../contracts.ts";

/** As the configuration has it: plain data, at most one of them. */
export interface CallAuth {
  readonly basic?: { readonly user: string; readonly password: string } | undefined;
  readonly bearer?: string | undefined;
  /** Path of a file that holds the token, such as a projected service account token. */
  readonly bearerFile?: string | undefined;
  /** `Authorization: ApiKey …` */
  readonly apiKey?: string | undefined;
}

/** A text in a file, read again when the file has changed: tokens in pods are replaced every hour. */
export class SecretFile {
  private readonly path: string;
  private seen = "";
  private text = "";

  constructor(path: string) {
    this.path = path;
  }

  /** Without white space at its end. @throws Error when it cannot be read, is empty or more than one line */
  read(): string {
    const { mtimeMs, ctimeMs, ino, size } = statSync(this.path);
    const now = `${mtimeMs} ${ctimeMs} ${ino} ${size}`;
    if (now === this.seen) return this.text;
    const text = readFileSync(this.path, "utf8").trimEnd();
    if (!/^[\x21-\x7e]+$/.test(text)) throw new Error(`${this.path} does not hold a token`);
    this.seen = now;
    this.text = text;
    return text;
  }
}

/** The `authorization` field of each call. */
export class Authorization {
  private readonly fixed: string | undefined;
  private readonly file: SecretFile | undefined;

  constructor({ basic, bearer, bearerFile, apiKey }: CallAuth = {}) {
    if (basic !== undefined) this.fixed = `Basic ${Buffer.from(`${basic.user}:${basic.password}`).toString("base64")}`;
    else if (bearer !== undefined) this.fixed = `Bearer ${bearer}`;
    else if (apiKey !== undefined) this.fixed = `ApiKey ${apiKey}`;
    this.file = bearerFile === undefined ? undefined : new SecretFile(bearerFile);
  }

  /** None where nobody has to know who we are. @throws Error when the token's file cannot be used */
  fields(): Field[] {
    const value = this.file === undefined ? this.fixed : `Bearer ${this.file.read()}`;
    return value === undefined ? [] : [["Authorization", value]];
  }
}
