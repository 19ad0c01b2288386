/**
 * Several clients at once, each with a pipeline of good and mutated requests, over sockets and through few upstream
 * connections. The upstream says back what it was asked; so a client must get, in order, the answers to its own requests
 * as an independent parser reads them, and nothing behind the first that is not one. `http.ts` has one client at a time.
 *
 *   bun test/fuzz/sequences.ts [SECONDS] [SEED]
 */
import { malformed } from "../http/malformed.ts";
import { goodRequest } from "../http/messages.ts";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { cut, type Seeded, seeded } from "../kit/random.ts";
import { bytesOf, ok, RawUpstream, rawClient } from "../kit/raw.ts";
import {
  clientRequests,
  type StrictMessage,
  statusOf,
  strictAnswers,
  strictRequests,
  valuesOf,
} from "../kit/strict.ts";
import { until } from "../kit/until.ts";
import { type Fuzzed, fuzzMain } from "./main.ts";
import { mutateSome } from "./mutate.ts";

const short = malformed.map(({ bytes }) => bytes).filter((bytes) => bytes.length < 500);

let tokens = 0;

/** One request with a target that no other has. */
function oneRequest(random: Seeded): string {
  const target = `/t${++tokens}`;
  const { bytes } = goodRequest(random, ["GET", "POST", "PUT", "PATCH", "DELETE"]);
  return bytes.replace(/^([^ ]+) [^ ]+ /, `$1 ${target} `);
}

function pipeline(random: Seeded): string {
  let text = "";
  for (let i = 1 + random.whole(6); i > 0; i--) {
    if (random.chance(0.08)) text += random.pick(short);
    else text += random.chance(0.75) ? oneRequest(random) : mutateSome(oneRequest(random), random);
    if (random.chance(0.1)) text += random.pick(["\r\n", "\n", "\r\n\r\n", " "]);
  }
  return text;
}

/** What the upstream says to a request, so that nobody can take it for the answer to another one. */
function echoOf({ line, body }: Pick<StrictMessage, "line" | "body">): string {
  const [method, target = ""] = line.split(" ");
  const path = /^http:\/\/[^/?]+(.*)$/i.exec(target)?.[1] ?? target;
  return `<${method} ${path.startsWith("/") ? path : `/${path}`} ${body.length} ${Bun.hash(bytesOf(body))}>`;
}

interface Played {
  readonly client: string;
  readonly received: string;
  readonly ended: boolean;
  readonly closed: boolean;
}

/** A turn of the loop each: from here on the rest goes in one. */
const mostPieces = 60;

async function play(port: number, random: Seeded): Promise<Played> {
  const bytes = pipeline(random);
  const client = await rawClient(port);
  const pieces = cut(bytesOf(bytes), random);
  await client.sendPieces([...pieces.slice(0, mostPieces), Buffer.concat(pieces.slice(mostPieces))]);
  client.finish();
  await until(() => client.ended || client.closed, { deadlineMs: 10_000 }).catch(() => {});
  const played = { client: bytes, received: client.received, ended: client.ended, closed: client.closed };
  client.reset();
  return played;
}

/** Says what is wrong with what a client got, if anything. */
function problemOf({ client, received, ended, closed }: Played): string | undefined {
  if (!ended && !closed) return "a connection did not end, although its client has closed its half";
  const { messages, fault } = strictAnswers(received, [], ended);
  if (fault !== undefined) return `the client was sent ${fault}`;
  const wanted = clientRequests(client).messages.map(echoOf);
  for (const [i, message] of messages.entries()) {
    if (statusOf(message) === 200) {
      if (message.body !== wanted[i]) return `answer ${i + 1} is ${message.body}, not ${wanted[i]}`;
    } else if (statusOf(message) < 400) return `an answer that nobody gave: ${message.line}`;
    else if (i < messages.length - 1) return `an answer behind the refusal ${message.line}`;
    else if (valuesOf(message, "connection").join() !== "close")
      return `a refusal that does not close: ${message.line}`;
  }
  return undefined;
}

/** Says what is wrong with what the upstream got, if anything; half a message is good where the client left. */
function sentProblem(upstream: RawUpstream): string | undefined {
  for (const { received } of upstream.connections) {
    const { fault, rest } = strictRequests(received);
    if (fault !== undefined) return `the upstream was sent ${fault}: ${rest}`;
  }
  return undefined;
}

const atOnce = 32;

/** Fuzzes for so many seconds; returns the first finding. Which packets the kernel makes of the pieces is up to it. */
export async function fuzz(seconds: number, seed: number): Promise<Fuzzed> {
  const random = seeded(seed);
  /** Up to where the bytes of a connection have been answered. */
  const answered = new WeakMap<object, number>();
  const upstream = new RawUpstream((connection) => {
    let from = answered.get(connection) ?? 0;
    for (const message of strictRequests(connection.received.slice(from)).messages) {
      connection.send(ok(echoOf(message)));
      from += message.raw.length;
    }
    answered.set(connection, from);
  });
  const engine = await TestEngine.start({ routes: forwardTo(upstream.port) });
  const end = performance.now() + seconds * 1000;
  let rounds = 0;
  let finding: object | undefined;
  for (; performance.now() < end && finding === undefined; rounds++) {
    const played = await Promise.all(Array.from({ length: atOnce }, () => play(engine.port(), random)));
    for (const one of played) {
      const problem = sentProblem(upstream) ?? problemOf(one);
      if (problem !== undefined) finding ??= { problem, ...one, upstream: upstream.connections.map((c) => c.received) };
    }
    if (rounds % 3 === 2) upstream.forget();
  }
  engine.stop();
  upstream.stop();
  return { finding, rounds: rounds * atOnce };
}

if (import.meta.main) await fuzzMain("test/fuzz/sequences.ts", fuzz);
