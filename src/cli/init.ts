/**
 * `outrigger init`: mends the permissions of mounted volumes, as an init container.
 *
 * It runs as root on folders that others may write to, so it touches only what lies inside the mounts it
 * is given, and never goes through a symbolic link.
 */
import { defineCommand } from "../contracts.ts";
import { UserError } from "../errors.ts";

const tellAtMost = 50;

export default defineCommand({
  name: "init",
  doc: "Mend the owner and the mode of files on mounted volumes (for an init container).",
  options: {
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
  },
  examples: ["outrigger init --within /var/log/app --chown 10001:7411 /var/log/app --chmod 0750 /var/log/app"],
  async run({ chown, chmod, within, recursive }, _operands, io) {
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
    return 0;
  },
});
