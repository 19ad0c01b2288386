/** What a pod is injected with: everything is decided here, and what is wrong or worth knowing is said. */
import { itemsOf, textOf } from "../config/raw.ts";
import type { PortPair } from "./annotation-kinds.ts";
import { type AnnotationFault, prefix, type Settings } from "./annotations.ts";
import { captureFaults, captureWarnings } from "./capture.ts";
import { defaultHealthPort } from "./decide.ts";
import { inboundWarnings, listenedPorts, portPairs, serviceWarning } from "./inbound-ports.ts";
import { type KnownConfig, readKnownConfig } from "./known-config.ts";
import { mainContainer, planLogs } from "./log-mounts.ts";
import { containersOf, dig, graceSeconds, userOf } from "./pod.ts";
import { planResources } from "./resources.ts";
import { ownMountPaths, type SidecarPlan, variableNames } from "./sidecar-container.ts";

export interface InjectionPlan extends SidecarPlan {
  /** Ports of the sidecar and the app's they lead to: where a Service leads to one of the latter, it can be led to us. */
  readonly pairs: readonly PortPair[];
}

/** What is known beside the pod without a sidecar. */
export interface PlanContext {
  /** The pod security standard that the namespace enforces, where that is known. */
  readonly enforced: string | undefined;
  readonly owner: string | undefined;
  /** True: Services are led to the sidecar's ports by the caller. */
  readonly leadsServices: boolean;
  /** The text of the configuration, where it is not in the pod. */
  readonly config: string | undefined;
}

export interface Planned {
  readonly plan: InjectionPlan;
  /** With any, the plan is of no use. */
  readonly faults: readonly AnnotationFault[];
  readonly warnings: readonly string[];
}

/** Plans for a pod without a sidecar. */
export function planInjection(pod: unknown, settings: Settings, context: PlanContext): Planned {
  return new Planning(pod, settings, context).run();
}

class Planning {
  readonly #pod: unknown;
  readonly #settings: Settings;
  readonly #context: PlanContext;
  readonly #faults: AnnotationFault[] = [];
  readonly #warnings: string[] = [];

  constructor(pod: unknown, settings: Settings, context: PlanContext) {
    this.#pod = pod;
    this.#settings = settings;
    this.#context = context;
  }

  run(): Planned {
    return { plan: this.#plan(this.#settings), faults: this.#faults, warnings: [...new Set(this.#warnings)] };
  }

  #plan(settings: Settings): InjectionPlan {
    const pod = this.#pod;
    const known = this.#known(settings);
    const logs = planLogs(pod, settings, known, ownMountPaths, variableNames(settings));
    const resources = planResources(pod, settings);
    const { enforced } = this.#context;
    this.#faults.push(...logs.faults, ...resources.faults, ...captureFaults(pod, settings, known, enforced));
    this.#faults.push(...this.#lifecycleFaults(settings, known), ...this.#configFaults(settings));
    this.#warnings.push(...logs.warnings, ...resources.warnings, ...captureWarnings(pod, settings, enforced));
    this.#warnings.push(...inboundWarnings(pod, settings, known), ...this.#otherWarnings(settings, known));
    return {
      settings,
      healthPort: this.#healthPort(settings, known),
      appUser: this.#appUser(settings),
      graceSeconds: graceSeconds(pod),
      ports: listenedPorts(settings, known),
      pairs: portPairs(settings, known),
      logs: logs.mounts,
      addedLogs: logs.added,
      resources,
      hidesToken: settings["api-token"] === "none" && dig(pod, "spec", "automountServiceAccountToken") !== false,
    };
  }

  #known(settings: Settings): KnownConfig | undefined {
    const text = settings.config ?? this.#context.config;
    const known = text === undefined ? undefined : readKnownConfig(text, settings.env);
    if (known === undefined || !("problem" in known)) return known;
    this.#faults.push({ key: `${prefix}config`, problem: known.problem, remedy: "see `outrigger check`" });
    return undefined;
  }

  #healthPort(settings: Settings, known: KnownConfig | undefined): number {
    const configured = known?.health?.port;
    const written = settings["health-port"];
    if (written !== undefined && configured !== undefined && written !== configured)
      this.#faults.push({
        key: `${prefix}health-port`,
        problem: `${written} is not the configuration's health, ${configured}`,
        remedy: "leave the annotation out",
      });
    return written ?? configured ?? defaultHealthPort;
  }

  #lifecycleFaults(settings: Settings, known: KnownConfig | undefined): AnnotationFault[] {
    const pod = this.#pod;
    const sleep = settings["app-pre-stop-sleep"] ?? 0;
    const faults: AnnotationFault[] = [];
    if (sleep > graceSeconds(pod))
      faults.push({
        key: `${prefix}app-pre-stop-sleep`,
        problem: `${sleep} is more than the pod's terminationGracePeriodSeconds, ${graceSeconds(pod)}`,
        remedy: "write less, or give the pod more time",
      });
    if (settings.lifecycle === "plain" && this.#isOfJob() && known?.canQuit !== true)
      faults.push({
        key: `${prefix}lifecycle`,
        problem: "the pod is a Job's, and a plain sidecar runs on when the app has ended: the Job would never complete",
        remedy:
          "write native (Kubernetes 1.29 and later), or let the app stop it (`shutdown: { quit: true }` in a configuration that can be seen here)",
      });
    return faults;
  }

  #isOfJob(): boolean {
    const owners = itemsOf(dig(this.#pod, "metadata"), "ownerReferences").map((one) => textOf(one, "kind"));
    return [...owners, this.#context.owner].some((kind) => kind === "Job" || kind === "CronJob");
  }

  #configFaults(settings: Settings): AnnotationFault[] {
    if (settings.config === undefined || settings["config-map"] === undefined) return [];
    const problem = `the configuration is in ${prefix}config, and in the ConfigMap "${settings["config-map"]}"`;
    return [{ key: `${prefix}config-map`, problem, remedy: "write one of them" }];
  }

  #otherWarnings(settings: Settings, known: KnownConfig | undefined): string[] {
    const pod = this.#pod;
    const said = this.#context.leadsServices ? [] : portPairs(settings, known).map(serviceWarning);
    if (settings.config === undefined && settings["config-map"] === undefined && this.#context.config === undefined)
      said.push('no configuration is named: the pod waits until its namespace has a ConfigMap "outrigger"');
    if (known?.health?.isLoopback === true)
      said.push(
        "the configuration's health listens on loopback: the kubelet's probes come to the pod's address and fail",
      );
    if (settings.lifecycle === "plain" && ["Never", "OnFailure"].includes(String(dig(pod, "spec", "restartPolicy"))))
      said.push("a plain sidecar runs on when the app has ended: the pod does not complete");
    if (dig(pod, "spec", "hostPID") === true || dig(pod, "spec", "shareProcessNamespace") === true)
      said.push("the pod's containers see each other's processes: the app may end the sidecar");
    return said;
  }

  /** The app's numeric user for `run-as: app`; a fault where it is not known, or root. */
  #appUser(settings: Settings): number | undefined {
    if (settings["run-as"] !== "app") return undefined;
    const name = mainContainer(this.#pod, settings);
    const app = containersOf(this.#pod, "containers").find((one) => one.name === name);
    const user = userOf(this.#pod, app?.container);
    if (typeof user === "number" && user > 0) return user;
    this.#faults.push({
      key: `${prefix}run-as`,
      problem: `the container "${name}" runs as ${user === 0 ? "root" : "a user that the pod does not say"}`,
      remedy: "give it a runAsUser above 0, or write fixed",
    });
    return undefined;
  }
}
