import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../main.ts";
import { readMode, readOwner } from "./_wishes.ts";

const isRoot = process.getuid?.() === 0;
/** An id we may set: anybody's as root, else only our own. */
const uid = isRoot ? 7411 : process.getuid!();
const gid = isRoot ? 7412 : process.getgid!();

let base: string;
let mount: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "outrigger-init-"));
  mount = join(base, "mount");
  mkdirSync(join(mount, "logs/old"), { recursive: true });
  for (const file of ["logs/a.log", "logs/old/b.log"]) writeFileSync(join(mount, file), "x", { mode: 0o600 });
  chmodSync(join(mount, "logs"), 0o777);
  chmodSync(join(mount, "logs/old"), 0o777);
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

async function init(...words: string[]) {
  const told = { out: "", err: "" };
  const code = await main(["init", ...words], {
    env: {},
    clock: { now: () => 0, wall: () => 0 },
    random: () => 0,
    colours: false,
    out: (text) => {
      told.out += text;
    },
    err: (text) => {
      told.err += text;
    },
  });
  return { code, ...told };
}

function modeOf(path: string): string {
  return (statSync(join(mount, path)).mode & 0o7777).toString(8);
}

describe("init changes", () => {
  test("the path alone, says so, and finds it right the second time", async () => {
    const words = ["--within", mount, "--chmod", "0750", join(mount, "logs")];
    expect(await init(...words)).toEqual({
      code: 0,
      out: `${mount}/logs: mode 0777 -> 0750\n1 changed, 0 already right\n`,
      err: "",
    });
    expect(modeOf("logs")).toBe("750");
    expect(modeOf("logs/a.log")).toBe("600");
    expect((await init(...words)).out).toBe("0 changed, 1 already right\n");
  });

  test("everything below with --recursive, folders and files each in their way", async () => {
    expect((await init("--within", mount, "-R", "--chmod", "u=rwX,g=rX,o=", join(mount, "logs"))).code).toBe(0);
    expect(["logs", "logs/old", "logs/a.log", "logs/old/b.log"].map(modeOf)).toEqual(["750", "750", "640", "640"]);
  });

  test("owner and mode of several paths in one go", async () => {
    const [logs, old] = [join(mount, "logs"), join(mount, "logs/old")];
    const { code } = await init(
      ...["--within", mount, "--chown", `${uid}:${gid}`, logs, `:${gid}`, old],
      ...["--chmod", "0700", logs, "02770", old],
    );
    expect(code).toBe(0);
    expect([statSync(logs).uid, statSync(logs).gid, statSync(old).gid]).toEqual([uid, gid, gid]);
    expect([modeOf("logs"), modeOf("logs/old")]).toEqual(["700", "2770"]);
  });

  test("a link itself, never what it points to", async () => {
    const outside = join(base, "outside");
    writeFileSync(outside, "x", { mode: 0o600 });
    const before = statSync(outside);
    symlinkSync(outside, join(mount, "logs/link"));
    symlinkSync(base, join(mount, "logs/folder-link"));
    const words = ["--within", mount, "-R", "--chown", `${uid}:${gid}`, join(mount, "logs"), "--chmod", "0777"];
    expect((await init(...words, join(mount, "logs"))).code).toBe(0);
    const after = statSync(outside);
    expect([after.uid, after.gid, after.mode]).toEqual([before.uid, before.gid, before.mode]);
    expect(lstatSync(join(mount, "logs/link")).gid).toBe(gid);
  });

  test("many files, telling of fifty", async () => {
    for (let i = 0; i < 60; i++) writeFileSync(join(mount, `logs/${i}.log`), "");
    const { out } = await init("--within", mount, "-R", "--chmod", "go=", join(mount, "logs"));
    expect(out).toContain("… and 12 more\n62 changed, 2 already right\n");
  });
});

describe("init refuses", () => {
  test("a path outside the mounts, and then changes nothing at all", async () => {
    const { code, err } = await init("--within", mount, "--chmod", "0700", join(mount, "logs"), base);
    expect([code, err]).toEqual([1, `${base} lies outside the mounts ${mount}: name its mount with --within\n`]);
    expect(modeOf("logs")).toBe("777");
  });

  test("a path that leads outside through a link or dots", async () => {
    symlinkSync(base, join(mount, "way-out"));
    const { code, err } = await init("--within", mount, "--chmod", "0700", join(mount, "way-out"), `${mount}/..`);
    expect(code).toBe(1);
    expect(err).toBe(
      [
        `${mount}/way-out leads to ${base}, which lies outside the mounts ${mount}: name its mount with --within\n`,
        `${mount}/.. leads to ${base}, which lies outside the mounts ${mount}: name its mount with --within\n`,
      ].join(""),
    );
  });

  test("a mount whose name only begins alike", async () => {
    mkdirSync(`${mount}-other`);
    expect((await init("--within", mount, "--chmod", "0700", `${mount}-other`)).code).toBe(1);
  });

  test.each([
    [["--chmod", "0700", "/x"], 2, "init: --within is missing: name the mounts the paths lie in\n"],
    [["--within", "/tmp"], 2, "init: nothing to do: give --chown, --chmod or --redirect\n"],
    [["--within", "/", "--chmod", "0700", "/x"], 1, "--within /: the root of the container is not a mount to mend\n"],
    [["--within", "/no-such", "--chmod", "0700", "/x"], 1, "--within /no-such: there is no such folder\n"],
    [["--within", "/tmp", "--chmod", "0700", "/no-such"], 1, "/no-such: there is no such file or folder\n"],
    [["--within", "/tmp", "--chown", "0"], 2, "--chown 0: which paths? Absolute ones follow here\n"],
    [["--within", "/tmp", "--chown", "0", "1", "/tmp"], 2, "--chown 0: which paths? Absolute ones follow here\n"],
    [["--within", "/tmp", "--chown", "/tmp"], 2, "--chown /tmp: UID, UID:GID or :GID must stand before the path\n"],
    [
      ["--within", "/tmp", "--chown", "root", "/tmp"],
      2,
      "--chown root: this is neither UID, UID:GID or :GID nor an absolute path\n",
    ],
    [
      ["--within", "/tmp", "--chmod", "4755", "/tmp"],
      2,
      "--chmod 4755: this is neither a mode such as 0750 or u=rwX,g=rX (without the set-user bit) nor an absolute path\n",
    ],
  ])("%j", async (words, code, err) => {
    expect(await init(...words)).toEqual({ code, err, out: "" });
  });
});

test("owners are ids", () => {
  expect([readOwner("7"), readOwner("7:8"), readOwner(":8")]).toEqual([{ uid: 7 }, { uid: 7, gid: 8 }, { gid: 8 }]);
  expect(["", ":", "root", "7:", "-1", "4294967295"].map(readOwner)).toEqual(Array(6).fill(undefined));
});

test.each([
  ["750", 0o777, 0o750, 0o750],
  ["2770", 0o600, 0o770, 0o2770],
  ["u=rwX,g+rX,o-rwx", 0o604, 0o640, 0o750],
  ["a+x", 0o600, 0o711, 0o711],
  ["+X", 0o700, 0o711, 0o711],
  ["g=", 0o777, 0o707, 0o707],
])("mode %s on %o", (word, bits, file, folder) => {
  const change = readMode(word)!;
  expect([change(bits, false), change(bits, true)]).toEqual([file, folder]);
});

test("modes that are none", () => {
  expect(["", "8", "75", "u+s", "z=r", "u=rw,", "755x"].map(readMode)).toEqual(Array(7).fill(undefined));
});
