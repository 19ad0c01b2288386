/** The YAML parser's errors, in words that say what to do. */
import type { YAMLError } from "yaml";

interface Words {
  readonly problem: string;
  readonly remedy: string;
}

const known: Partial<Record<YAMLError["code"], Words>> = {
  TAB_AS_INDENT: { problem: "a tab stands in the indentation", remedy: "indent with spaces" },
  MULTIPLE_DOCS: { problem: "a second document begins here", remedy: "write one document; remove the line ---" },
  BLOCK_AS_IMPLICIT_KEY: {
    problem: "a map or list begins where a key was expected",
    remedy: "put it on a line of its own, or in quotes when it is a text",
  },
  MULTILINE_IMPLICIT_KEY: {
    problem: "this is not a key with a value",
    remedy: "write key: value, with a space behind the colon",
  },
  BAD_INDENT: {
    problem: "the indentation does not fit",
    remedy: "indent it like its neighbours, and close every bracket",
  },
  BAD_SCALAR_START: { problem: "a text cannot begin with this character", remedy: "put the text in quotes" },
  BAD_ALIAS: {
    problem: "the name behind * or & is not a name",
    remedy: "put the text in quotes when no alias is meant",
  },
  BAD_DQ_ESCAPE: {
    problem: "this backslash sequence is not known in double quotes",
    remedy: "write \\\\ for a backslash, or use single quotes",
  },
  TAG_RESOLVE_FAILED: { problem: "tags have no meaning here", remedy: "remove the word that begins with !" },
  RESOURCE_EXHAUSTION: { problem: "it is nested too deeply", remedy: "write less deeply nested lists and maps" },
};

/** Where to point: an open quote is found out only where the text ends. */
export function syntaxOffset(error: YAMLError, text: string): number {
  const quote = error.code === "MISSING_CHAR" ? /closing (["'])/.exec(error.message)?.[1] : undefined;
  if (quote === undefined) return error.pos[0];
  let offset = 0;
  let open = error.pos[0];
  for (const line of text.slice(0, error.pos[0]).split("\n")) {
    if (line.split(quote).length % 2 === 0) open = offset + line.lastIndexOf(quote);
    offset += line.length + 1;
  }
  return open;
}

/** What is wrong with the text, and what would be right. */
export function syntaxWords(error: YAMLError, text: string): Words {
  if (error.code === "DUPLICATE_KEY") {
    const key = /^["']?([^\s:"']*)/.exec(text.slice(error.pos[0]))?.[1] ?? "";
    return {
      problem: `the key "${key}" stands here twice`,
      remedy: "write it once, with everything that belongs under it",
    };
  }
  if (error.code === "MISSING_CHAR" && /quote/.test(error.message))
    return { problem: "a quote is not closed", remedy: "close it" };
  return (
    known[error.code] ?? {
      problem: error.message.replace(/\.$/, "").replace(/^./, (first) => first.toLowerCase()),
      remedy: "mend the YAML here",
    }
  );
}
