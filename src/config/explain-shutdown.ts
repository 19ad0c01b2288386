/** How the sidecar stops, in sentences: where there is something the user should know. */
import { formatDuration } from "./scalars.ts";
import type { Config } from "./schema.ts";
import { defaultGraceMs, neededPodSeconds } from "./shutdown.ts";

/** Below this grace we announce for less than the 5 s within which endpoints of Services are taken out. */
const graceForAnnouncingMs = 20_000;

/** Lines of the explanation; most configurations need none. */
export function explainShutdown(config: Config): string[] {
  const { inbound, shutdown } = config;
  const { graceMs, form } = shutdown;
  const said = [...explainPod(shutdown), ...explainQuit(config)];
  if (inbound.length > 0 && graceMs < graceForAnnouncingMs)
    said.push(
      `Before it stops it announces that for ${formatDuration(Math.round(graceMs / 4))} only: a Service may send requests for 5s after the end of a pod has begun, so that a grace of 20s or more is safer.`,
    );
  if (form === "plain")
    said.push("It is a container beside the app ($OUTRIGGER_LIFECYCLE), and stays while the app shows signs of life.");
  return said.map((sentence) => `  ${sentence}`);
}

function explainPod({ graceMs, podGraceMs, cutFromMs }: Config["shutdown"]): string[] {
  if (podGraceMs === undefined)
    return graceMs === defaultGraceMs
      ? []
      : [`A pod needs terminationGracePeriodSeconds: ${neededPodSeconds(graceMs)} or more for that.`];
  const pod = `The pod is killed ${podGraceMs / 1000} s after its end has begun ($OUTRIGGER_GRACE_SECONDS), which is when our time begins, too.`;
  if (cutFromMs === undefined) return [pod];
  const remedy = `raise terminationGracePeriodSeconds to ${neededPodSeconds(cutFromMs)}, or leave shutdown.grace out`;
  return [pod, `shutdown.grace is ${formatDuration(cutFromMs)}, more than the pod allows: ${remedy}.`];
}

function explainQuit({ shutdown, admin }: Config): string[] {
  if (shutdown.quit !== true) return [];
  if (admin === "off") return ["shutdown.quit is on, but admin is off: nobody can ask for /quit."];
  return ["POST /quit stops it, for everybody who can reach admin."];
}
