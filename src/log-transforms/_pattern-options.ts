/** Regular expressions in the options of transforms. */
import * as z from "zod";

/** A text that is a regular expression; it stays a text, and is compiled where it is used. */
export function pattern() {
  return z
    .string()
    .min(1)
    .superRefine((text, context) => {
      const trouble = troubleOf(text);
      if (trouble === undefined) return;
      const message = `"${text}" is not a regular expression: ${trouble}`;
      context.addIssue({ code: "custom", message, params: { remedy: "write a JavaScript regular expression" } });
    });
}

function troubleOf(text: string): string | undefined {
  try {
    new RegExp(text, "u");
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^Invalid regular expression: /, "");
  }
}
