/**
 * What a command of the bench is made of: who is compared, at which points, in front of which app and under which
 * load. How it is measured (bench/measure.ts) and told (bench/report.ts) is the same for all.
 */
import type { Section } from "./page.ts";
import type { Point } from "./points.ts";
import type { Places, Switches } from "./template.ts";

/** The app behind the proxies. */
export interface Origin {
  /** Where the load can reach it without a proxy. */
  port: number;
  /** Its ports and files, for the proxies' configs. */
  places: Places;
  /** What it counted so far: connections accepted and requests answered, those of this call included. */
  count(): Promise<Count>;
  stop(): void;
}

export interface Count {
  connections: number;
  requests: number;
}

/** What became of one stretch of load. */
export interface Driven {
  /** All answers, those while the load settled included. */
  served: number;
  /** Answers between the two marks. */
  answered: number;
  /** Answers that were not what was asked for; a single one ends the run. */
  failed: number;
  /** What the first failure was, where the load can tell. */
  firstFailure?: string | undefined;
}

/** Clients of one proxy for the length of a round. Their connections stay open between stretches of load. */
export interface Session {
  /** Keeps all of them busy for about `ms`, calling `mark` at both ends of what counts. Nothing is under way afterwards. */
  drive(ms: number, mark: () => void): Promise<Driven>;
  close(): void;
}

export interface Suite {
  /** Also the command and the section of docs/benchmarks.md. */
  name: Section;
  /** What is counted: request, message, connection. */
  unit: string;
  /** Names of all but our own. */
  contenders: readonly string[];
  points: readonly Point[];
  switches: Switches;
  /** Who speaks plain TCP has another config. */
  tcp?: boolean;
  /** What the load is and how it was checked, for the page. */
  method: string;
  /** Why this machine cannot run it at all, if so: a program that is missing. */
  missing?(): string | undefined;
  startOrigin(): Promise<Origin>;
  /** Asks through the proxy what the point will ask. @throws WrongAnswer */
  check(label: string, port: number, point: Point): Promise<void>;
  open(port: number, point: Point): Promise<Session>;
  /**
   * Milliseconds of each answer at a fixed rate for `ms`; `direct` when the port is the app's own.
   * Absent where a rate says nothing.
   */
  latencies?(port: number, point: Point, rate: { perSecond: number; ms: number; direct: boolean }): Promise<number[]>;
}
