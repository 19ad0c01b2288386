/** zod's declarations, made part of this file when it is transpiled. */
import { zodTypes } from "./_zod-types.ts" with { type: "macro" };

export const zodFiles: Readonly<Record<string, string>> = zodTypes();
