/** A pod as processes of this machine, started and ended in the order in which the kubelet does it. */
import { join } from "node:path";
import type { Subprocess } from "bun";
import type { Pod, SidecarProcess, SpawnOptions } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";
import type { AppWish } from "./app.ts";

export type Form = "native" | "plain";

export interface PodWish {
  readonly form: Form;
  /** The sidecar's configuration. */
  readonly config: string;
  /** The pod's. */
  readonly graceSeconds: number;
  /** Tells the sidecar of its form, as the injector does. */
  readonly tellsForm?: boolean;
  /** Words that enter the pod's network. */
  readonly through?: readonly string[];
}

const appProgram = join(import.meta.dirname, "app.ts");

export class AppProcess {
  readonly lines: string[] = [];
  readonly exited: Promise<number>;
  hasEnded = false;
  private readonly process: Subprocess<"ignore", "pipe", "inherit">;

  constructor(wish: AppWish, through: readonly string[] = []) {
    const command = [...through, process.execPath, appProgram, JSON.stringify(wish)];
    this.process = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    this.exited = Promise.all([this.process.exited, this.read()]).then(([code]) => {
      this.hasEnded = true;
      return code;
    });
  }

  private async read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.process.stdout) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop()!;
      this.lines.push(...parts);
    }
  }

  /** What it said after a word. */
  said(word: string): string[] {
    return this.lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  }

  up(): Promise<void> {
    return until(() => this.lines.includes("up"), { what: "the app" });
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

/** How a pod ended. */
export interface PodEnding {
  readonly app: number;
  readonly sidecar: number;
  /** From the beginning of the end until each of them had ended, in milliseconds. */
  readonly appMs: number;
  readonly sidecarMs: number;
}

export class PodProcesses {
  readonly sidecar: SidecarProcess;
  private readonly wish: PodWish;
  private apps: AppProcess[] = [];

  private constructor(wish: PodWish, sidecar: SidecarProcess) {
    this.wish = wish;
    this.sidecar = sidecar;
  }

  /** Starts the sidecar in a folder, and waits for its startup probe. */
  static async start(wish: PodWish, folder: Pod): Promise<PodProcesses> {
    const { form, graceSeconds, tellsForm = false, through } = wish;
    const env = {
      OUTRIGGER_GRACE_SECONDS: String(graceSeconds),
      ...(tellsForm && { OUTRIGGER_LIFECYCLE: form }),
    };
    const options: SpawnOptions = { env, ...(through && { through }) };
    return new PodProcesses(wish, await folder.start(wish.config, options));
  }

  /** Starts the app beside it. */
  async startApp(wish: AppWish): Promise<AppProcess> {
    const app = new AppProcess(wish, this.wish.through);
    this.apps.push(app);
    await app.up();
    return app;
  }

  get app(): AppProcess {
    return this.apps.at(-1)!;
  }

  /** All requests that its apps have got. */
  get got(): string[] {
    return this.apps.flatMap((app) => app.said("got"));
  }

  /**
   * As it is deleted: preStop hooks and the app's SIGTERM at once; a plain sidecar's SIGTERM as soon as its hook has
   * returned, a native one's when the app has ended; SIGKILL when the grace is over, for a native one 2 s after its
   * SIGTERM at the earliest.
   */
  async end(): Promise<PodEnding> {
    const { app, sidecar, wish } = this;
    const startedAt = performance.now();
    const since = () => performance.now() - startedAt;
    const ends = { appMs: 0, sidecarMs: 0 };
    const killAt = (ms: number, kill: () => void) => setTimeout(kill, Math.max(ms - since(), 0));
    const graceMs = wish.graceSeconds * 1000;
    const appKill = killAt(graceMs, () => app.signal("SIGKILL"));
    app.signal("SIGTERM");
    const hook = this.preStop();
    const appEnd = app.exited.then((code) => {
      ends.appMs = since();
      return code;
    });
    if (wish.form === "native") await Promise.all([hook, appEnd]);
    else await hook;
    const sidecarKill = killAt(Math.max(graceMs, since() + 2000), () => void sidecar.kill());
    sidecar.signal("SIGTERM");
    const code = await sidecar.exited;
    ends.sidecarMs = since();
    clearTimeout(sidecarKill);
    const appCode = await appEnd;
    clearTimeout(appKill);
    return { app: appCode, sidecar: code, ...ends };
  }

  /** The kubelet's call of the hook. */
  private async preStop(): Promise<void> {
    const { through = [] } = this.wish;
    const url = `${this.sidecar.healthUrl}/drain`;
    if (through.length === 0) {
      await fetch(url, { headers: { "user-agent": "kube-lifecycle/1.33" } });
      return;
    }
    const words = ["curl", "-sf", "-o", "/dev/null", "-A", "kube-lifecycle/1.33", url];
    const code = await Bun.spawn([...through, ...words], { stdin: "ignore" }).exited;
    if (code !== 0) throw new Error(`the hook failed: curl ${code}`);
  }

  async kill(): Promise<void> {
    for (const app of this.apps) app.signal("SIGKILL");
    await this.sidecar.kill();
  }
}
