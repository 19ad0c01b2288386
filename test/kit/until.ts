/** Waits until `holds`, looking every few milliseconds; fails after `deadlineMs` with the reason that was given. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  { deadlineMs = 20_000, what = "the condition" }: { deadlineMs?: number; what?: string } = {},
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what} did not hold within ${deadlineMs} ms`);
    await Bun.sleep(5);
  }
}
