/** Text to bytes in encodings that the runtime only decodes: the decoder, asked about every character, turned round. */

/** Encodes characters of one or two bytes; throws where the encoding has none for a character. */
export function encodeAs(label: string, text: string): Uint8Array {
  if (label === "utf-16le" || label === "utf-16be") {
    const bytes = Buffer.from(text, "utf16le");
    return label === "utf-16le" ? bytes : bytes.swap16();
  }
  const table = tableOf(label);
  return Buffer.concat(
    [...text].map((character) => {
      const bytes = table.get(character);
      if (bytes === undefined) throw new Error(`${label} has no ${character}`);
      return bytes;
    }),
  );
}

const tables = new Map<string, Map<string, Uint8Array>>();

function tableOf(label: string): Map<string, Uint8Array> {
  const table = tables.get(label) ?? makeTable(label);
  tables.set(label, table);
  return table;
}

function makeTable(label: string): Map<string, Uint8Array> {
  const strict = () => new TextDecoder(label as Bun.Encoding, { fatal: true });
  let decoder = strict();
  const table = new Map<string, Uint8Array>();
  const learn = (bytes: Uint8Array) => {
    try {
      const text = decoder.decode(bytes);
      if ([...text].length === 1 && !table.has(text)) table.set(text, bytes);
    } catch {
      // No character has these bytes; a decoder that failed may keep half of one.
      decoder = strict();
    }
  };
  for (let one = 0; one < 256; one++) learn(Uint8Array.of(one));
  for (let one = 0x81; one < 0xff; one++) for (let two = 0x40; two < 0xff; two++) learn(Uint8Array.of(one, two));
  return table;
}
