/** ClientHello messages built by hand, so that their every length can be wrong on purpose. */

export interface HelloParts {
  readonly serverName?: string | undefined;
  readonly alpn?: readonly string[];
  /** Put in as they are: `[type, body]`. */
  readonly extensions?: readonly (readonly [number, Uint8Array])[];
}

function vector(size: 1 | 2 | 3, body: Uint8Array): Buffer {
  const head = Buffer.alloc(size);
  head.writeUIntBE(body.length, 0, size);
  return Buffer.concat([head, body]);
}

function extension(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(type >> 8, type & 255), vector(2, body)]);
}

/** The handshake message, without records. */
export function helloMessage({ serverName, alpn, extensions = [] }: HelloParts): Buffer {
  const list: Buffer[] = [extension(43, Uint8Array.of(2, 3, 4))];
  if (serverName !== undefined)
    list.push(extension(0, vector(2, Buffer.concat([Uint8Array.of(0), vector(2, Buffer.from(serverName, "latin1"))]))));
  if (alpn !== undefined)
    list.push(extension(16, vector(2, Buffer.concat(alpn.map((name) => vector(1, Buffer.from(name, "latin1")))))));
  for (const [type, body] of extensions) list.push(extension(type, body));
  const body = Buffer.concat([
    Uint8Array.of(3, 3),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 9)),
    vector(2, Uint8Array.of(0x13, 0x01, 0x13, 0x02)),
    vector(1, Uint8Array.of(0)),
    vector(2, Buffer.concat(list)),
  ]);
  return Buffer.concat([Uint8Array.of(1), vector(3, body)]);
}

/** The message in records of at most so many bytes each. */
export function inRecords(message: Uint8Array, most = 1 << 14): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += most)
    records.push(Buffer.concat([Uint8Array.of(22, 3, 1), vector(2, message.subarray(at, at + most))]));
  return Buffer.concat(records);
}
