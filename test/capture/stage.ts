/**
 * A pod and the world outside of it, each a network of its own, a sidecar in the pod, and servers on either side that
 * tell how they were reached.
 *
 *   app (curl, in the pod) --eth0 10.77.0.2, fd77::2--> [redirect] sidecar --> world 10.77.0.1, 10.77.0.3, fd77::1
 */
import { join } from "node:path";
import { type Ended, Network, whyNoNetworks } from "../kit/network.ts";
import { Pod, type SidecarProcess, type SpawnOptions } from "../kit/sidecar-process.ts";

const root = join(import.meta.dirname, "../..");
const main = join(root, "src/main.ts");
const places = join(import.meta.dirname, "places.ts");

/** Whatever is captured on its way out and asks for this path is answered by the sidecar. */
export const marker = "/captured";
export const mark = "by the sidecar";

/** Both directions, with the marker. */
export const config = `health: 7411
outbound:
  - listen: 15001
    capture: true
    routes:
      - match: { path: ${marker} }
        respond: { status: 200, body: ${mark} }
      - match: { path: /elsewhere/* }
        to: http://10.77.0.3:80
    to: original
inbound:
  - { listen: 15006, capture: true, to: original }`;

/** The sidecar is excluded by its group, so that it can be run from wherever this repository is. */
export const sidecarGroup = "7411";

export const whyNot = whyNoNetworks(["nft", "iptables-restore", "ip6tables-restore", "curl", "openssl", "setpriv"]);
if (whyNot !== undefined) process.stderr.write(`SKIPPED: tests of transparent capture, because ${whyNot}\n`);

export class Stage {
  readonly pod: Network;
  readonly world: Network;
  readonly folder = new Pod();

  private constructor(pod: Network, world: Network) {
    this.pod = pod;
    this.world = world;
  }

  static async open(): Promise<Stage> {
    const [pod, world] = await Promise.all([Network.create(), Network.create()]);
    pod.connect(world);
    pod.use("10.77.0.2/24", "fd77::2/64");
    world.use("10.77.0.1/24", "10.77.0.3/24", "fd77::1/64");
    pod.leaveBy("10.77.0.1");
    await world.start(
      process.execPath,
      places,
      "::",
      "http=80",
      "http=8081",
      "https=443",
      "greeting=25",
      "h2c=82",
      "udp=53",
    );
    await pod.start(process.execPath, places, "127.0.0.1", "http=8080", "greeting=2525");
    return new Stage(pod, world);
  }

  /** Starts a sidecar in the pod. */
  sidecar(text = config, options: SpawnOptions = {}): Promise<SidecarProcess> {
    const through = [...this.pod.words, "setpriv", "--regid", sidecarGroup, "--clear-groups"];
    return this.folder.start(text, { through, ...options });
  }

  /** Runs `outrigger init` in the pod, and expects that it can. */
  init(...words: string[]): string {
    const { code, out, err } = this.tryInit(...words);
    if (code !== 0) throw new Error(`init ${words.join(" ")} ended with ${code}: ${err}`);
    return out;
  }

  tryInit(...words: string[]): Ended {
    return this.pod.run([process.execPath, main, "init", ...words]);
  }

  /** Redirects with the sidecar excluded. */
  redirect(directions: string, ...words: string[]): string {
    return this.init("--redirect", directions, "--exclude-uids", "", "--exclude-gids", sidecarGroup, ...words);
  }

  /** What the app in the pod is told. @param as words in front of curl, such as `setpriv --reuid 1234` */
  async fetch(url: string, curl: readonly string[] = [], as: readonly string[] = []): Promise<string> {
    return (await this.pod.runBeside([...as, "curl", "-gsS", "--max-time", "10", ...curl, url])).out;
  }

  /** True when that call of the app is captured. */
  async captures(place: string, as: readonly string[] = []): Promise<boolean> {
    return (await this.fetch(`http://${place}${marker}`, [], as)) === mark;
  }

  /** What a client outside is told. */
  async fetchFromOutside(url: string, curl: readonly string[] = []): Promise<string> {
    return (await this.world.runBeside(["curl", "-gsS", "--max-time", "10", ...curl, url])).out;
  }

  /** A number of the sidecar's metrics. */
  async metric(series: string): Promise<number> {
    const text = await this.fetch("http://127.0.0.1:7411/metrics");
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  async close(): Promise<void> {
    await this.folder.remove();
    await Promise.all([this.pod.end(), this.world.end()]);
  }
}
