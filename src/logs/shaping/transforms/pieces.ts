/**
 * A person's regular expression may take time that grows with the square of the text, and worse. It is never given more
 * than 64 KiB at once.
 */
export const mostPatternText = 64 * 1024;
/** A cut is made at white space, when there is some so near. */
const nearBy = 1024;

/** The whole text changed piece by piece. */
export function inPieces(text: string, change: (piece: string) => string): string {
  if (text.length <= mostPatternText) return change(text);
  let changed = "";
  for (let start = 0; start < text.length; ) {
    const end = cutBefore(text, start + mostPatternText);
    changed += change(text.slice(start, end));
    start = end;
  }
  return changed;
}

/** The beginning of the text, as far as a pattern is tried on it. */
export function firstPiece(text: string): string {
  return text.length <= mostPatternText ? text : text.slice(0, mostPatternText);
}

function cutBefore(text: string, most: number): number {
  if (most >= text.length) return text.length;
  const near = text.slice(most - nearBy, most);
  const space = near.search(/\s\S*$/);
  return space < 0 ? most : most - nearBy + space + 1;
}
