/**
 * Signals that come before the command is loaded. The kernel drops a signal that would end process 1 of a container and
 * for which it has no function yet (signal(7), pid_namespaces(7)): a pod that is deleted while it starts would wait for
 * its whole grace, and then be killed.
 */

export const endings = ["SIGTERM", "SIGINT"] as const;

let early: NodeJS.Signals | undefined;

function keep(signal: NodeJS.Signals): void {
  early ??= signal;
}

/** Remembers the first one. Whoever is not process 1 wants the usual end instead. */
export function keepEarlySignals(): void {
  for (const signal of endings) process.on(signal, keep);
}

/** The one that came, if any; from now on whoever asks listens for himself. */
export function earlySignal(): NodeJS.Signals | undefined {
  for (const signal of endings) process.off(signal, keep);
  return early;
}
