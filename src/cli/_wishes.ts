/** What `outrigger init` is asked for: the words after --chown and --chmod, read into wishes. */
import { UserError } from "../errors.ts";

/** Ids to set; an absent one stays as it is. */
export interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

/** The permission bits (at most 0o7777) that a file with these bits shall have. */
export type ModeChange = (bits: number, isFolder: boolean) => number;

export interface Wish {
  readonly path: string;
  readonly owner?: Owner;
  readonly mode?: ModeChange;
}

/** -1 means "leave it" to the kernel, so 2^32 - 1 is nobody's id. */
const largestId = 2 ** 32 - 2;

/** Reads `7411`, `7411:7411` or `:7411`; undefined when the word is none of these. */
export function readOwner(word: string): Owner | undefined {
  const match = /^(\d{1,10})?(?::(\d{1,10}))?$/.exec(word);
  if (!match || word === "") return undefined;
  const [, uid, gid] = match;
  const owner = { ...(uid && { uid: Number(uid) }), ...(gid && { gid: Number(gid) }) };
  return Object.values(owner).every((id) => id <= largestId) ? owner : undefined;
}

const setUser = 0o4000;
const setGroup = 0o2000;
const shifts: Record<string, readonly number[]> = { u: [6], g: [3], o: [0], a: [6, 3, 0] };

/** Octal modes name all bits. The set-group bit, which makes new files inherit the group, is for folders only. */
function readOctal(word: string): ModeChange | undefined {
  const bits = Number.parseInt(word, 8);
  if (bits & setUser) return undefined;
  return (_current, isFolder) => (isFolder ? bits : bits & ~setGroup);
}

function permissionBits(letters: string, current: number, isFolder: boolean): number {
  let bits = 0;
  for (const letter of letters) {
    if (letter === "r") bits |= 4;
    else if (letter === "w") bits |= 2;
    else if (letter === "x" || isFolder || current & 0o111) bits |= 1;
  }
  return bits;
}

/** One clause as chmod(1) reads it: `g+rX`. X is x for folders and for files that somebody may run already. */
function readClause(clause: string): ModeChange | undefined {
  const match = /^([ugoa]*)([+=-])([rwxX]*)$/.exec(clause);
  if (!match) return undefined;
  const [, who = "", operator, letters = ""] = match;
  const places = [...(who || "a")].flatMap((letter) => shifts[letter] ?? []);
  return (current, isFolder) =>
    places.reduce((bits, place) => {
      const wanted = permissionBits(letters, current, isFolder) << place;
      if (operator === "+") return bits | wanted;
      return operator === "-" ? bits & ~wanted : (bits & ~(7 << place)) | wanted;
    }, current);
}

/** Reads `0750` or `u=rwX,g+rX,o-rwx`; undefined when the word is neither, or asks for the set-user bit. */
export function readMode(word: string): ModeChange | undefined {
  if (/^[0-7]{3,5}$/.test(word)) return readOctal(word);
  const clauses = word.split(",").map(readClause);
  if (clauses.some((clause) => clause === undefined)) return undefined;
  return (bits, isFolder) => clauses.reduce((result, clause) => clause!(result, isFolder), bits);
}

/** Splits `A /x /y B /z` at the words that `read` understands; paths are absolute, so the two cannot be confused. */
function readGroups<T>(option: string, words: readonly string[], read: (word: string) => T | undefined, right: string) {
  const groups: { value: T; path: string }[] = [];
  let value: T | undefined;
  let pathless: string | undefined;
  for (const word of words) {
    if (word.startsWith("/")) {
      if (value === undefined) throw new UserError(`${option} ${word}: ${right} must stand before the path`, 2);
      groups.push({ value, path: word });
      pathless = undefined;
      continue;
    }
    if (pathless !== undefined) break;
    value = read(word);
    if (value === undefined) throw new UserError(`${option} ${word}: this is neither ${right} nor an absolute path`, 2);
    pathless = word;
  }
  if (pathless !== undefined) throw new UserError(`${option} ${pathless}: which paths? Absolute ones follow here`, 2);
  return groups;
}

/** All wishes in the order they are carried out: owners first, because a change of owner may clear mode bits. */
export function readWishes(chown: readonly string[], chmod: readonly string[]): Wish[] {
  const owners = readGroups("--chown", chown, readOwner, "UID, UID:GID or :GID");
  const modes = readGroups("--chmod", chmod, readMode, "a mode such as 0750 or u=rwX,g=rX (without the set-user bit)");
  if (owners.length + modes.length === 0)
    throw new UserError("init: nothing to do: give --chown, --chmod or --redirect", 2);
  return [
    ...owners.map(({ value, path }) => ({ path, owner: value })),
    ...modes.map(({ value, path }) => ({ path, mode: value })),
  ];
}
