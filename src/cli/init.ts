/**
 * `outrigger init`, as an init container: mends the permissions of mounted volumes, and sets the redirect rules of
 * transparent capture.
 *
 * It runs as root on folders that others may write to, so it touches only what lies inside the mounts it
 * is given, and never goes through a symbolic link.
 */
import { type CommandIo, defineCommand, type OptionValues } from "../contracts.ts";
import { UserError } from "../errors.ts";
import { redirectOptions } from "./_redirect-options.ts";

const tellAtMost = 50;

const permissionOptions = {
  chown: {
    kind: "list",
    flags: "--chown <owner-and-paths...>",
    doc: "UID, UID:GID or :GID, then the paths that shall have this owner",
  },
  chmod: {
    kind: "list",
    flags: "--chmod <mode-and-paths...>",
    doc: "a mode (0750 or u=rwX,g=rX,o=), then the paths that shall have it",
  },
  within: {
    kind: "list",
    flags: "--within <mount...>",
    doc: "the mounts the paths must lie in; anything else is refused",
  },
  recursive: { kind: "flag", flags: "-R, --recursive", doc: "everything below the paths too, links not followed" },
} as const;

const options = { ...permissionOptions, ...redirectOptions };

export default defineCommand({
  name: "init",
  doc: "Mend the owner and the mode of files on mounted volumes, or redirect connections to the sidecar (for an init container).",
  options,
  examples: [
    "outrigger init --within /var/log/app --chown 10001:7411 /var/log/app --chmod 0750 /var/log/app",
    "outrigger init --redirect outbound,inbound --exclude-cidrs 10.0.0.0/8 --print",
  ],
  async run(given, _operands, io) {
    const asksForRules = given.redirect !== undefined || given.undo;
    if (!asksForRules) refuseStrayOptions(given);
    if (!asksForRules || given.chown.length + given.chmod.length > 0) await mendPermissions(given, io);
    return asksForRules ? redirect(given, io) : 0;
  },
});

/** An option of the redirect without a redirect is a slip that would leave the pod without its rules. */
function refuseStrayOptions(given: OptionValues<typeof options>): void {
  const stray = Object.keys(redirectOptions).find((key) => {
    const value = given[key as keyof typeof redirectOptions];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
  });
  if (stray === undefined) return;
  const flag = redirectOptions[stray as keyof typeof redirectOptions].flags.split(" ")[0];
  throw new UserError(`init: ${flag} is about redirect rules: add --redirect outbound, inbound or outbound,inbound`, 2);
}

async function redirect(given: OptionValues<typeof redirectOptions>, io: CommandIo): Promise<number> {
  const [{ readRedirect }, rules, { thisMachine }] = await Promise.all([
    import("../redirect/reading.ts"),
    import("../redirect/redirect.ts"),
    import("../redirect/tools.ts"),
  ]);
  const backend = rules.readBackend(given.backend);
  const plan = given.undo ? undefined : readRedirect(given);
  const machine = thisMachine(io.env.PATH);
  if (given.print) {
    io.out(rules.showRules(plan, backend, machine));
    return 0;
  }
  const done = plan === undefined ? rules.removeRules(backend, machine) : rules.setRules(plan, backend, machine);
  io.out(`${done.join("\n")}\n`);
  if (plan?.outbound === undefined || given.noVerify) return 0;
  const { verifyOutbound } = await import("./_verify-redirect.ts");
  io.out(`${await verifyOutbound(plan.outbound)}\n`);
  return 0;
}

async function mendPermissions(given: OptionValues<typeof permissionOptions>, io: CommandIo): Promise<void> {
  const { chown, chmod, within, recursive } = given;
  const [{ readWishes }, { Mounts }, { mend }] = await Promise.all([
    import("./_wishes.ts"),
    import("./_mounts.ts"),
    import("./_permissions.ts"),
  ]);
  const wishes = readWishes(chown, chmod);
  const mounts = Mounts.open(within);
  const faults = wishes.flatMap(({ path }) => mounts.whyRefused(path) ?? []);
  if (faults.length > 0) throw new UserError(faults.join("\n"), 1);
  const changes = { made: 0, untouched: 0 };
  for (const wish of wishes) {
    for (const sentence of mend(mounts, wish, recursive)) {
      if (sentence === undefined) changes.untouched++;
      else if (++changes.made <= tellAtMost) io.out(`${sentence}\n`);
    }
  }
  if (changes.made > tellAtMost) io.out(`… and ${changes.made - tellAtMost} more\n`);
  io.out(`${changes.made} changed, ${changes.untouched} already right\n`);
}
