/** The forward protocol's handshake with a shared key: both sides prove that they know it without saying it. */
import { timingSafeEqual } from "node:crypto";
import { type ByteStream, StreamFault } from "../net/byte-stream.ts";
import { MsgpackWriter, type Unpacked } from "./_msgpack.ts";

export interface Login {
  readonly sharedKey: string;
  /** Who we say we are. */
  readonly hostname: string;
  /** Where the receiver asks for users as well. */
  readonly user: { readonly name: string; readonly password: string } | undefined;
}

/** Returns whether the receiver keeps connections. @throws StreamFault when either side turns the other away */
export async function greet(stream: ByteStream, next: () => Promise<Unpacked>, login: Login): Promise<boolean> {
  const hello = partsOf(await next(), "HELO");
  const options = hello[1] instanceof Map ? hello[1] : new Map<string, Unpacked>();
  const nonce = bytesOf(options.get("nonce"));
  const auth = bytesOf(options.get("auth"));
  const salt = crypto.getRandomValues(Buffer.alloc(16));
  await stream.write(ping(login, salt, nonce, auth));
  checkPong(partsOf(await next(), "PONG"), login, salt, nonce);
  return options.get("keepalive") !== false;
}

function ping({ hostname, sharedKey, user }: Login, salt: Buffer, nonce: Buffer, auth: Buffer): Buffer {
  if (auth.length > 0 && user === undefined) throw new StreamFault("asks for a user and password");
  const out = new MsgpackWriter(1024);
  out.array(6);
  out.text("PING");
  out.text(hostname);
  out.binary(salt);
  out.text(digest(salt, hostname, nonce, sharedKey));
  const asks = auth.length > 0 && user !== undefined;
  out.text(asks ? user.name : "");
  out.text(asks ? digest(auth, user.name, user.password) : "");
  return out.bytes;
}

function checkPong([, isTaken, reason, name, proof]: Unpacked[], login: Login, salt: Buffer, nonce: Buffer): void {
  if (isTaken !== true) throw new StreamFault(`turned us away: ${bytesOf(reason).toString().slice(0, 200)}`);
  const hostname = bytesOf(name);
  if (hostname.toString() === login.hostname) throw new StreamFault("has our own name: does it send to itself?");
  const expected = Buffer.from(digest(salt, hostname, nonce, login.sharedKey));
  const given = bytesOf(proof);
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new StreamFault("does not know the shared key");
}

function digest(...parts: (string | Uint8Array)[]): string {
  const hasher = new Bun.CryptoHasher("sha512");
  for (const part of parts) hasher.update(part);
  return hasher.digest("hex");
}

function partsOf(value: Unpacked, word: string): Unpacked[] {
  if (Array.isArray(value) && bytesOf(value[0]).toString() === word) return value;
  throw new StreamFault(`sent no ${word}: does it have a shared key?`);
}

function bytesOf(value: Unpacked | undefined): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}
