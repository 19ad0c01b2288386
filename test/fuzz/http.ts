/**
 * Sends mutated requests and mutated answers through the engine for a while, and reads what comes out on both sides
 * with a second, independent parser.
 *
 *   bun test/fuzz/http.ts [SECONDS] [SEED]        10 seconds and a new seed unless told otherwise
 */

import { malformed } from "../http/malformed.ts";
import { goodRequest } from "../http/messages.ts";
import { FakeNetwork, type FakeSocket, type FarEnd } from "../kit/fake-network.ts";
import { cut, type Seeded, seeded } from "../kit/random.ts";
import { bytesOf } from "../kit/raw.ts";
import { clientRequests, type StrictMessage, strictAnswers, strictRequests, valuesOf } from "../kit/strict.ts";
import { fuzzMain } from "./main.ts";
import { mutateSome } from "./mutate.ts";

export interface Finding {
  readonly problem: string;
  readonly client: string;
  readonly upstream: readonly string[];
  readonly answers: readonly string[];
  readonly received: string;
}

const seeds = malformed.map(({ bytes }) => bytes).filter((bytes) => bytes.length < 2000);
function clientBytes(random: Seeded): string {
  let text = "";
  for (let i = 1 + random.whole(4); i > 0; i--) {
    const base = random.chance(0.3) ? random.pick(seeds) : goodRequest(random, ["GET", "POST", "PUT"]).bytes;
    text += random.chance(0.4) ? base : mutateSome(base, random);
  }
  return text;
}

/** A mark that no other answer has. */
function markOf(random: Seeded): string {
  return `<${Array.from({ length: 10 }, () => String.fromCharCode(97 + random.whole(26))).join("")}>`;
}

/** An answer that carries a mark all over, so that it is known where it belongs. */
function answerBytes(mark: string, mayBeBad: boolean, random: Seeded): string {
  const good = random.pick([
    `HTTP/1.1 200 OK\r\nContent-Length: ${mark.length}\r\n\r\n${mark}`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${mark.length};a=b\r\n${mark}\r\n0\r\nX: ${mark}\r\n\r\n`,
    `HTTP/1.1 103 Early Hints\r\nX: ${mark}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ${mark}\r\n\r\n`,
    `HTTP/1.1 204 No Content\r\nX: ${mark}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\n\r\n${mark}`,
  ]);
  return !mayBeBad || random.chance(0.2) ? good : mutateSome(good, random) + random.pick(["", "", good]);
}

/** The far end of the engine's connections; they outlive a round, as the engine's pool does. */
class Upstream implements FarEnd {
  received = "";
  private answered = 0;
  private readonly socket: FakeSocket;

  constructor(socket: FakeSocket) {
    this.socket = socket;
  }

  onBytes(bytes: Buffer): void {
    this.received += bytes.toString("latin1");
  }
  onFin(): void {}
  onReset(): void {}

  /** Returns false when there was nothing to answer. */
  answer(round: Round, random: Seeded): boolean {
    const { messages } = strictRequests(this.received);
    const fresh = messages.slice(this.answered);
    this.answered = messages.length;
    for (const message of fresh) {
      round.sent.push(message);
      const mark = markOf(random);
      const answer = answerBytes(mark, round.badAnswers, random);
      round.marks.push(mark);
      round.answers.push(answer);
      this.socket.deliver(cut(bytesOf(answer), random));
      if (answer.startsWith("HTTP/1.1 200 OK\r\n\r\n") || (round.badAnswers && random.chance(0.3)))
        this.socket.deliverFin();
    }
    return fresh.length > 0;
  }
}

/**
 * One client's connection and what came of it. Bad answers come to single requests only: what follows an answer on
 * its connection is known to be nobody's as long as nothing else has been asked there.
 */
class Round {
  readonly client: string;
  readonly badAnswers: boolean;
  readonly sent: StrictMessage[] = [];
  readonly answers: string[] = [];
  /** One per answer. */
  readonly marks: string[] = [];
  received = "";

  constructor(random: Seeded) {
    this.badAnswers = random.chance(0.5);
    this.client = this.badAnswers ? goodRequest(random, ["GET", "POST", "PUT"]).bytes : clientBytes(random);
  }

  run(network: FakeNetwork, upstreams: Upstream[], random: Seeded): void {
    network.upstream = (socket) => {
      const upstream = new Upstream(socket);
      upstreams.push(upstream);
      return upstream;
    };
    const { end, socket } = network.client();
    socket.deliver(cut(bytesOf(this.client), random));
    socket.deliverFin();
    do network.run();
    while (upstreams.map((upstream) => upstream.answer(this, random)).includes(true));
    this.received = end.received;
    socket.connection.destroy();
    network.run();
  }

  /** Says what is wrong, if anything. */
  problem(upstreams: readonly Upstream[], past: ReadonlySet<string>): string | undefined {
    for (const upstream of upstreams) {
      const { fault, rest } = strictRequests(upstream.received);
      if (fault !== undefined) return `the upstream was sent ${fault}: ${rest}`;
    }
    return this.sentProblem() ?? this.receivedProblem(past);
  }

  /** Every message the upstream got must be one the client sent, in its order, with its content. */
  private sentProblem(): string | undefined {
    const { messages } = clientRequests(this.client);
    let next = 0;
    for (const message of this.sent) {
      // Asked again after a connection that was closed while idle, the same message stands there twice.
      const again = next > 0 && same(messages[next - 1]!, message);
      if (messages[next] !== undefined && same(messages[next]!, message)) next++;
      else if (!again) return `the upstream was sent what the client did not send there: ${JSON.stringify(message)}`;
    }
    return undefined;
  }

  /** Every answer must be whole or visibly broken, in order, and carry the mark of this round's requests only. */
  private receivedProblem(past: ReadonlySet<string>): string | undefined {
    const { messages, fault } = strictAnswers(this.received, [], true);
    if (fault !== undefined) return `the client was sent ${fault}`;
    const found = messages.flatMap(
      ({ body, trailers, fields: list }) => `${body}${trailers}${list}`.match(/<[a-z]{10}>/g) ?? [],
    );
    const foreign = found.find((mark) => past.has(mark));
    if (foreign !== undefined) return `an answer of an earlier connection: ${foreign}`;
    const places = found.map((mark) => this.marks.indexOf(mark));
    const ordered = this.badAnswers || places.every((place, i) => place >= (places[i - 1] ?? 0));
    return ordered ? undefined : `answers carry the marks ${places}`;
  }
}

const ours = /^(?:x-forwarded-.*|forwarded|x-request-id|via|host)$/i;

/** True when `sent` is what a client's message may become on its way. */
function same(given: StrictMessage, sent: StrictMessage): boolean {
  const [method, target] = given.line.split(" ");
  const [sentMethod, sentTarget] = sent.line.split(" ");
  const path = /^http:\/\/[^/?]+(.*)$/i.exec(target!)?.[1] ?? target!;
  const wanted = path.startsWith("/") || path === "*" ? path : `/${path}`;
  if (method !== sentMethod || (sentTarget !== wanted && !(path === "" && sentTarget === "*"))) return false;
  const ended = valuesOf(given, "connection")
    .join(",")
    .toLowerCase()
    .split(/[ \t]*,[ \t]*/);
  const trailers = given.trailers.filter(([name]) => !ended.includes(name.toLowerCase()));
  if (given.body !== sent.body || `${trailers}` !== `${sent.trailers}`) return false;
  const kept = sent.fields.filter(([name]) => !ours.test(name));
  let at = 0;
  for (const field of given.fields) if (`${kept[at]}` === `${field}`) at++;
  return at === kept.length;
}

/** Closes what is open, so that what was received does not grow without end. */
function forget(network: FakeNetwork, upstreams: Upstream[], past: Set<string>): void {
  for (const { connection } of [...network.sockets]) connection.destroy();
  network.run();
  upstreams.length = 0;
  past.clear();
}

/** Fuzzes for so many seconds; returns the first finding, and how many rounds were run. */
export async function fuzz(seconds: number, seed: number): Promise<{ finding: Finding | undefined; rounds: number }> {
  const random = seeded(seed);
  const network = await FakeNetwork.start({ maxBodyBytes: 20_000 }, { headBytes: 4096, headFields: 30 });
  network.random = random;
  const end = performance.now() + seconds * 1000;
  const upstreams: Upstream[] = [];
  const past = new Set<string>();
  let rounds = 0;
  let finding: Finding | undefined;
  for (; performance.now() < end && finding === undefined; rounds++) {
    const round = new Round(random);
    round.run(network, upstreams, random);
    const problem = round.problem(upstreams, past);
    for (const mark of round.marks) past.add(mark);
    const { client, answers, received } = round;
    if (problem !== undefined)
      finding = { problem, client, upstream: upstreams.map((upstream) => upstream.received), answers, received };
    if (rounds % 20 === 19) forget(network, upstreams, past);
  }
  if (network.engine.activeExchanges !== 0)
    throw new Error(`${network.engine.activeExchanges} exchanges are still open`);
  network.stop();
  return { finding, rounds };
}

if (import.meta.main) await fuzzMain("test/fuzz/http.ts", fuzz);
