/**
 * Answers mutated in every form there is, to clients of every kind. What the strict parser takes for one whole answer
 * must reach the client as it is; whatever else comes must end in a 502 or a connection that is visibly broken off; and
 * the next client on the same upstream gets its own answer. `http.ts` looks at requests, and at answers to single ones.
 *
 *   bun test/fuzz/answers.ts [SECONDS] [SEED]
 */
import * as z from "zod";
import { defineFilter } from "../../src/contracts.ts";
import { answerRows } from "../http/hostile-answers.ts";
import { type Answering, clear, RecordingOrigin } from "../http/recording-origin.ts";
import { registryOf } from "../kit/engine.ts";
import { type ClientEnd, FakeNetwork } from "../kit/fake-network.ts";
import { cut, type Seeded, seeded } from "../kit/random.ts";
import { bytesOf, ok } from "../kit/raw.ts";
import { type StrictMessage, statusOf, strictAnswers, upstreamAnswers, valuesOf } from "../kit/strict.ts";
import { type Fuzzed, fuzzMain } from "./main.ts";
import { mutateSome } from "./mutate.ts";

const bases = answerRows.map(({ answer }) => answer);

function anyAnswer(random: Seeded): string {
  const body = "x".repeat(random.pick([0, 1, 5, 16, 300]));
  const length = `Content-Length: ${body.length}\r\n`;
  const chunks = body === "" ? "" : `${body.length.toString(16)}\r\n${body}\r\n`;
  return random.pick([
    random.pick(bases),
    `HTTP/1.1 200 OK\r\n${length}X: y\r\n\r\n${body}`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}${chunks}0\r\nX-Sum: 1\r\n\r\n`,
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\n${length}\r\n${body}`,
    `HTTP/1.1 200 OK\r\n\r\n${body}`,
    `HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n${length}\r\n${body}`,
    `HTTP/1.1 204 No Content\r\nX: y\r\n\r\n`,
    `HTTP/1.1 304 Not Modified\r\n${length}\r\n`,
  ]);
}

interface Kind {
  readonly name: string;
  readonly method: string;
  readonly minor: number;
}

const kinds: readonly Kind[] = [
  { name: "GET", method: "GET", minor: 1 },
  { name: "HEAD", method: "HEAD", minor: 1 },
  { name: "HTTP/1.0", method: "GET", minor: 0 },
];

interface Round {
  readonly kind: Kind;
  readonly answer: string;
  readonly ends: boolean;
  readonly filtered: boolean;
}

interface Outcome {
  readonly first: Pick<ClientEnd, "received" | "ended" | "broken">;
  readonly second: string;
}

function roundOf(random: Seeded): Round {
  const base = anyAnswer(random);
  const answer = random.chance(0.3) ? base : mutateSome(base, random);
  return { kind: random.pick(kinds), answer, ends: random.chance(0.4), filtered: random.chance(0.3) };
}

/** One client gets the answer in pieces; the next one, on whatever connection, is answered well. */
function play(network: FakeNetwork, { kind, answer, ends }: Round, random: Seeded): Outcome {
  network.random = random;
  const origin = new RecordingOrigin(network);
  const answering: Answering = ({ line }, { socket }) => {
    const isSecond = line.includes("/second");
    socket.deliver(isSecond ? [bytesOf(ok("second"))] : cut(bytesOf(answer), random));
    if (ends && !isSecond) socket.deliverFin();
  };
  const first = network.client();
  first.socket.deliver([bytesOf(`${kind.method} /first HTTP/1.${kind.minor}\r\nHost: a\r\n\r\n`)]);
  origin.settle(answering);
  const second = network.client();
  second.socket.deliver([bytesOf("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")]);
  origin.settle(answering);
  const outcome = { first: { ...first.end }, second: second.end.received };
  clear(network);
  return outcome;
}

function finalOf(messages: readonly StrictMessage[]): StrictMessage | undefined {
  return messages.find((message) => statusOf(message) >= 200);
}

function isRefusal(message: StrictMessage | undefined): boolean {
  return message !== undefined && statusOf(message) === 502 && valuesOf(message, "server").join() === "outrigger";
}

/** Says what is wrong, if anything. */
function problemOf(round: Round, { first, second }: Outcome): string | undefined {
  const { kind, answer, ends, filtered } = round;
  if (!second.startsWith("HTTP/1.1 200 OK\r\n") || !(filtered ? /\r\nsecond\r\n/ : /\r\n\r\nsecond$/).test(second))
    return `the next client got ${second}`;
  // A body that ends with its connection is whole when that ended by FIN, not when it was broken off.
  const got = strictAnswers(first.received, [kind.method], first.ended);
  if (got.fault !== undefined) return `the client was sent ${got.fault}`;
  if (got.messages.filter((message) => statusOf(message) >= 200).length > 1) return "the client got two answers";
  const final = finalOf(got.messages);
  const given = upstreamAnswers(answer, [kind.method], ends);
  const has101 = given.messages.some((message) => statusOf(message) === 101);
  const wanted = has101 ? undefined : finalOf(given.messages);
  const isOver = wanted === undefined && (ends || given.fault !== undefined || has101);
  if (wanted === undefined)
    return isRefusal(final) || first.broken || !isOver ? undefined : "a malformed answer went on";
  if (isRefusal(final) || (final === undefined && first.broken)) return sparedBy(wanted, answer);
  return final === undefined ? "the client got no answer" : differs(wanted, final, kind);
}

/** A refusal of what the strict parser takes: only for limits that it does not know. */
function sparedBy(wanted: StrictMessage, answer: string): string | undefined {
  const named = wanted.trailers.length > 0 || answer.length > 2000 || /;[^\r\n]{1000}/.test(answer);
  return named ? undefined : "a whole answer was refused";
}

function differs(wanted: StrictMessage, got: StrictMessage, { minor }: Kind): string | undefined {
  if (statusOf(wanted) !== statusOf(got)) return `status ${statusOf(got)} instead of ${statusOf(wanted)}`;
  if (wanted.body !== got.body) return `the body ${got.body} instead of ${wanted.body}`;
  const ended = valuesOf(wanted, "connection")
    .join()
    .toLowerCase()
    .split(/[ \t]*,[ \t]*/);
  const trailers = wanted.trailers.filter(([name]) => !ended.includes(name.toLowerCase()));
  if (minor === 1 && `${got.trailers}` !== `${trailers}`) return `the trailers ${got.trailers}`;
  return undefined;
}

const passOn = defineFilter<object>({
  name: "pass-on",
  doc: "Looks at everything and changes nothing.",
  phase: "shape",
  order: 1,
  directions: ["inbound", "outbound"],
  config: z.strictObject({}),
  create: () => ({ response() {}, responseBody: (chunk) => chunk }),
});

/** Fuzzes for so many seconds; returns the first finding. */
export async function fuzz(seconds: number, seed: number): Promise<Fuzzed> {
  const random = seeded(seed);
  const registry = registryOf(passOn);
  const limits = { headBytes: 4096, headFields: 30 };
  const networks = [
    await FakeNetwork.start({}, limits, registry),
    await FakeNetwork.start({ policies: { "pass-on": {} } }, limits, registry),
  ];
  const end = performance.now() + seconds * 1000;
  let rounds = 0;
  let finding: object | undefined;
  for (; performance.now() < end && finding === undefined; rounds++) {
    const round = roundOf(random);
    const outcome = play(networks[round.filtered ? 1 : 0]!, round, random);
    const problem = problemOf(round, outcome);
    if (problem !== undefined) finding = { problem, ...round, received: outcome.first.received };
  }
  for (const network of networks) {
    if (network.engine.activeExchanges !== 0) finding ??= { problem: `${network.engine.activeExchanges} left open` };
    network.stop();
  }
  return { finding, rounds };
}

if (import.meta.main) await fuzzMain("test/fuzz/answers.ts", fuzz);
