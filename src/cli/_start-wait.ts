/**
 * Waits for a sidecar's `/startup`. As a postStart hook it holds back the containers behind the sidecar: the kubelet
 * starts them one after the other, and the next one when the hook has ended.
 */
import type { Clock } from "../contracts.ts";
import { errorCode, UserError } from "../errors.ts";

const everyMs = 50;
const answerMs = 1000;

/** @param url of its health listener @throws UserError (exit 3) with what it said last, when the time is over */
export async function waitForStart(url: string, timeoutMs: number, clock: Clock): Promise<void> {
  const until = clock.now() + timeoutMs;
  for (;;) {
    const trouble = await startTrouble(url);
    if (trouble === undefined) return;
    if (clock.now() >= until)
      throw new UserError(`the sidecar has not started within ${timeoutMs / 1000} s: ${url}/startup ${trouble}`, 3);
    await Bun.sleep(everyMs);
  }
}

/** Why it has not started yet, as the end of a sentence; undefined when it has. */
async function startTrouble(url: string): Promise<string | undefined> {
  try {
    // What the environment says of proxies is for others.
    const answer = await fetch(`${url}/startup`, { signal: AbortSignal.timeout(answerMs), proxy: "" });
    if (answer.ok) return undefined;
    const { reasons = [] } = (await answer.json()) as { reasons?: readonly string[] };
    return `answers ${answer.status}: ${reasons.join(", ")}`;
  } catch (error) {
    const code = errorCode(error);
    return code === "ConnectionRefused" || code === "ECONNREFUSED"
      ? "refuses connections"
      : `does not answer (${code ?? String(error)})`;
  }
}
