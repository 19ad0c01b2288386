/**
 * The sidecar and the app side by side, started and stopped in the order of a pod with a native sidecar:
 *
 *   sidecar -> /startup answers -> app            /drain -> app gets SIGTERM, ends -> sidecar gets SIGTERM, ends
 */
import type { CommandIo } from "../contracts.ts";
import { Child, type Ending, lastLines, type Role, Watchdog } from "./_child.ts";
import { type Colour, Lines } from "./_lines.ts";
import { type Request, Requests } from "./_requests.ts";

export interface PairPlan {
  readonly sidecar: readonly string[];
  readonly app: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the sidecar's health answers: `http://127.0.0.1:7411`. */
  readonly healthUrl: string;
  /** How long each of the two may take to end after SIGTERM. */
  readonly graceMs: number;
}

const colours: Record<Role, Colour> = { sidecar: "cyan", app: "green" };

/** The sidecar drains within its grace; what it needs to write its last words comes on top. */
const lastWordsMs = 5000;
/** As the startup probe of the samples: a second each, sixty times. */
const startupBudgetMs = 60_000;
const startupPollMs = 50;
const couldNotStart = 3;
const killed = 128 + 9;

type News = { role: Role; ending: Ending } | Request | "up" | "late";

export class Pair {
  readonly #plan: PairPlan;
  readonly #lines: Lines;
  readonly #watchdog = new Watchdog();
  readonly #requests = new Requests();
  readonly #pumps: Promise<void>[] = [];
  #request = this.#requests.next();
  #killed = false;

  constructor(plan: PairPlan, io: CommandIo) {
    this.#plan = plan;
    this.#lines = new Lines((line) => io.out(line), io.colours);
  }

  /** Runs both until one of them ends or we are asked to stop; resolves to our exit code. */
  async run(): Promise<number> {
    try {
      const sidecar = this.#start("sidecar", this.#plan.sidecar);
      const code = await this.#whenUp(sidecar);
      await lastLines(Promise.all(this.#pumps));
      return code;
    } finally {
      this.#requests.close();
    }
  }

  #say(text: string): void {
    void this.#lines.show("outrigger", "grey", text);
  }

  #start(role: Role, command: readonly string[]): Child {
    const child = new Child(role, command, this.#plan.env, this.#watchdog);
    for (const output of child.outputs) this.#pumps.push(this.#lines.pump(role, colours[role], output));
    return child;
  }

  /** The first thing that happens to these children, or that is asked of us. */
  async #news(...others: Promise<News>[]): Promise<News> {
    const request = this.#request;
    const news = await Promise.race([request, ...others]);
    if (news === "stop" || news === "restart") this.#request = this.#requests.next();
    return news;
  }

  async #whenUp(sidecar: Child): Promise<number> {
    const news = await this.#news(endOf(sidecar), this.#sidecarUp());
    if (news === "restart") return this.#whenUp(sidecar);
    if (news === "up") return this.#besideApp(sidecar);
    if (news === "late") this.#say(`the sidecar did not answer ${this.#plan.healthUrl}/startup in a minute`);
    if (typeof news === "object") {
      this.#say(`the sidecar ended with exit code ${news.ending.code} before the app was started`);
      return news.ending.code || couldNotStart;
    }
    await sidecar.stop(this.#plan.graceMs + lastWordsMs);
    return news === "late" ? couldNotStart : 0;
  }

  async #sidecarUp(): Promise<"up" | "late"> {
    for (let waitedMs = 0; waitedMs < startupBudgetMs; waitedMs += startupPollMs) {
      if (await this.#asks("/startup")) return "up";
      await Bun.sleep(startupPollMs);
    }
    return "late";
  }

  async #asks(path: string): Promise<boolean> {
    try {
      return (await fetch(this.#plan.healthUrl + path, { signal: AbortSignal.timeout(1000) })).ok;
    } catch {
      return false;
    }
  }

  async #besideApp(sidecar: Child): Promise<number> {
    const { healthUrl } = this.#plan;
    this.#say(`the sidecar is up: ${healthUrl}/ready ${healthUrl}/metrics; starting the app`);
    this.#say(`Ctrl-C stops both; r and Enter, or kill -USR2 ${process.pid}, starts the app anew`);
    let app = this.#start("app", this.#plan.app);
    for (;;) {
      const news = await this.#news(endOf(app), endOf(sidecar));
      if (news === "stop") return this.#stop(app, sidecar);
      if (typeof news === "object") return this.#oneEnded(news.role, news.ending, app, sidecar);
      this.#say("starting the app anew");
      await app.stop(this.#plan.graceMs);
      app = this.#start("app", this.#plan.app);
    }
  }

  async #stop(app: Child, sidecar: Child): Promise<number> {
    this.#say("stopping the app, then the sidecar; Ctrl-C again kills both");
    void this.#killOnSecond(app, sidecar);
    await this.#asks("/drain");
    const ending = await app.stop(this.#plan.graceMs);
    await sidecar.stop(this.#plan.graceMs + lastWordsMs);
    if (this.#killed) return killed;
    return ending.asAsked ? 0 : ending.code;
  }

  async #killOnSecond(...children: Child[]): Promise<void> {
    while ((await this.#news()) !== "stop");
    this.#killed = true;
    for (const child of children) child.kill();
  }

  async #oneEnded(role: Role, ending: Ending, app: Child, sidecar: Child): Promise<number> {
    const other = role === "app" ? sidecar : app;
    this.#say(`the ${role} ended with exit code ${ending.code}; stopping the ${other.role}`);
    void this.#killOnSecond(other);
    await other.stop(this.#plan.graceMs + lastWordsMs);
    return role === "sidecar" ? ending.code || couldNotStart : ending.code;
  }
}

function endOf(child: Child): Promise<News> {
  return child.ended.then((ending) => ({ role: child.role, ending }));
}
