/** Answers by which an upstream, or who speaks through it, tries to be read in two ways, and what the client gets of each. */

export interface AnswerRow {
  readonly family: string;
  readonly name: string;
  readonly method: string;
  readonly answer: string;
  /**
   * What the client gets: these bytes; `502` an honest refusal; `broken` a connection that ends without a whole answer.
   */
  readonly gets: { readonly bytes: string } | "502" | "broken";
  /** The upstream's connection serves the next request. */
  readonly reused: boolean;
  /** The client's connection ends with it. */
  readonly closed: boolean;
}

type Table = Record<string, string>;
type Pairs = Record<string, string | readonly [answer: string, gets: string]>;

function bad(family: string, table: Table): AnswerRow[] {
  return Object.entries(table).map(([name, answer]) => ({
    ...{ family, name, method: "GET", answer, gets: "502" as const, reused: false, closed: false },
  }));
}

function broken(family: string, table: Table): AnswerRow[] {
  return Object.entries(table).map(([name, answer]) => ({
    ...{ family, name, method: "GET", answer, gets: "broken" as const, reused: false, closed: true },
  }));
}

function good(family: string, table: Pairs, more: Partial<AnswerRow> = {}): AnswerRow[] {
  return Object.entries(table).map(([name, pair]) => {
    const [answer, gets] = typeof pair === "string" ? [pair, pair] : pair;
    return { family, name, method: "GET", answer, gets: { bytes: gets }, reused: true, closed: false, ...more };
  });
}

/** The head of a 200. */
function head(fields: string): string {
  return `HTTP/1.1 200 OK\r\n${fields}\r\n`;
}

const five = "Content-Length: 5\r\n";
const chunked = "Transfer-Encoding: chunked\r\n";
const whole = `${head(five)}hello`;
const poison = `${head("Content-Length: 6\r\n")}poison`;
const chunks = "5\r\nhello\r\n0\r\n\r\n";

const framing = bad("framing", {
  "both, the length nominated by Connection": `${head(`Connection: content-length\r\n${five}${chunked}`)}${chunks}`,
  "both, the coding nominated by Connection": `${head(`Connection: transfer-encoding\r\n${five}${chunked}`)}${chunks}`,
  "both, with Connection: close": `${head(`Connection: close\r\n${five}${chunked}`)}${chunks}`,
  "both, length 0": `${head(`Content-Length: 0\r\n${chunked}`)}${chunks}`,
  "three lengths": `${head(five.repeat(3))}hello`,
  "a length and a blank one": `${head(`${five}Content-Length: \r\n`)}hello`,
  "a length behind VT": `${head("Content-Length: \x0b5\r\n")}hello`,
  "a length of letters": `${head("Content-Length: 5a\r\n")}hello`,
  "a length with a unit": `${head("Content-Length: 5 bytes\r\n")}hello`,
  "a length of 2^53": `${head("Content-Length: 9007199254740993\r\n")}hello`,
  "a length in HTTP/1.0 beside a coding": `HTTP/1.0 200 OK\r\n${five}${chunked}\r\n${chunks}`,
  "a coding with a parameter": `${head("Transfer-Encoding: chunked;q=1\r\n")}${chunks}`,
  "a coding in quotes": `${head('Transfer-Encoding: "chunked"\r\n')}${chunks}`,
  "a coding in a second line": `${head(`Transfer-Encoding: gzip\r\n${chunked}`)}${chunks}`,
  "a coding twice, the second unknown": `${head(`${chunked}Transfer-Encoding: x\r\n`)}${chunks}`,
  "a 204 with both": `HTTP/1.1 204 No Content\r\n${five}${chunked}\r\n`,
  "a 304 with two lengths": `HTTP/1.1 304 Not Modified\r\n${five}${five}\r\n`,
});

const lines = bad("lines", {
  "two status lines": `HTTP/1.1 200 OK\r\n${whole}`,
  "a request instead of an answer": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "a space first": ` ${whole}`,
  "an LF first": `\n${whole}`,
  "a BOM first": `\xef\xbb\xbf${whole}`,
  "LF ends the status line": `HTTP/1.1 200 OK\n${five}\r\nhello`,
  "CR ends the status line": `HTTP/1.1 200 OK\r${five}\r\nhello`,
  "CR, CR, LF ends the status line": `HTTP/1.1 200 OK\r\r\n${five}\r\nhello`,
  "LF ends a field": `${head(`X: y\n${five}`)}hello`,
  "LF ends the head": `HTTP/1.1 200 OK\r\n${five}\nhello`,
  "CR in a value, a cookie behind it": `${head(`X: y\rSet-Cookie: a=b\r\n${five}`)}hello`,
  "LF in a value, a cookie behind it": `${head(`X: y\nSet-Cookie: a=b\r\n${five}`)}hello`,
  "LF, LF in a value, a body behind it": `${head(`Location: /\n\n<script>\r\n${five}`)}hello`,
  "NUL in a value": `${head(`X: a\0b\r\n${five}`)}hello`,
  "DEL in a value": `${head(`X: a\x7fb\r\n${five}`)}hello`,
  "a fold": `${head(`X: a\r\n\tb\r\n${five}`)}hello`,
  "a fold that hides a length": `${head(`X: a\r\n ${five}`)}hello`,
  "a space before the colon": `${head("Content-Length : 5\r\n")}hello`,
  "a space before a name": `${head(` ${five}`)}hello`,
  "a name of high bytes": `${head(`X\xe9: y\r\n${five}`)}hello`,
  "no name": `${head(`: y\r\n${five}`)}hello`,
  "no colon": `${head(`X\r\n${five}`)}hello`,
  "HTTP/1.2": `HTTP/1.2 200 OK\r\n${five}\r\nhello`,
  "HTTP/0.9: a body alone": "hello",
  "HTTP/3": `HTTP/3 200 OK\r\n${five}\r\nhello`,
  "a status of 1": `HTTP/1.1 1 OK\r\n${five}\r\nhello`,
  "a status of 20": `HTTP/1.1 20 OK\r\n${five}\r\nhello`,
  "a status of 0200": `HTTP/1.1 0200 OK\r\n${five}\r\nhello`,
  "a status of 2e2": `HTTP/1.1 2e2 OK\r\n${five}\r\nhello`,
  "a tab behind the status": `HTTP/1.1 200\tOK\r\n${five}\r\nhello`,
  TLS: "\x15\x03\x01\x00\x02\x02\x46",
  "HTTP/2's settings": "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80",
});

const information = [
  ...bad("1xx", {
    "101 that nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "101 with an answer behind it": `HTTP/1.1 101 Switching Protocols\r\n\r\n${poison}`,
    "103, then 101": "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
    "100 with a bad field": `HTTP/1.1 100 Continue\r\nX : y\r\n\r\n${whole}`,
    "100 with both framings": `HTTP/1.1 100 Continue\r\n${five}${chunked}\r\n${whole}`,
    "100 with a body": `HTTP/1.1 100 Continue\r\n${five}\r\nhello${whole}`,
    "100 that ends with LF": `HTTP/1.1 100 Continue\n\n${whole}`,
  }),
  ...good("1xx", {
    "100 unasked": `HTTP/1.1 100 Continue\r\n\r\n${whole}`,
    "two of them": `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n${whole}`,
    "102": `HTTP/1.1 102 Processing\r\n\r\n${whole}`,
    "a number nobody knows": `HTTP/1.1 199 Odd\r\n\r\n${whole}`,
    "103 with a length": [
      `HTTP/1.1 103 Early Hints\r\n${five}Link: </a>\r\n\r\n${whole}`,
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${whole}`,
    ],
    "103 with a coding": [
      `HTTP/1.1 103 Early Hints\r\n${chunked}\r\n${whole}`,
      `HTTP/1.1 103 Early Hints\r\n\r\n${whole}`,
    ],
    "103 with this hop's fields": [
      `HTTP/1.1 103 Early Hints\r\nConnection: x\r\nX: y\r\nKeep-Alive: timeout=1\r\nLink: </a>\r\n\r\n${whole}`,
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${whole}`,
    ],
    "103 that says close ends nothing": [
      `HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n${whole}`,
      `HTTP/1.1 103 Early Hints\r\n\r\n${whole}`,
    ],
    "in HTTP/1.0": [`HTTP/1.0 100 Continue\r\n\r\n${whole}`, `HTTP/1.1 100 Continue\r\n\r\n${whole}`],
  }),
];

const behind = [
  ...good(
    "bytes behind",
    {
      "a length": [`${whole}${poison}`, whole],
      "a length: one byte": [`${whole}x`, whole],
      "a length: an empty line": [`${whole}\r\n`, whole],
      "a length: an LF": [`${whole}\n`, whole],
      "a length: half a status line": [`${whole}HTTP/1.`, whole],
      "a length: a 1xx": [`${whole}HTTP/1.1 100 Continue\r\n\r\n`, whole],
      "a length of 0": [`${head("Content-Length: 0\r\n")}${poison}`, head("Content-Length: 0\r\n")],
      "the last chunk": [`${head(chunked)}${chunks}${poison}`, `${head(chunked)}${chunks}`],
      "the last chunk: an empty line": [`${head(chunked)}${chunks}\r\n`, `${head(chunked)}${chunks}`],
      trailers: [`${head(chunked)}0\r\nX: y\r\n\r\n${poison}`, `${head(chunked)}0\r\nX: y\r\n\r\n`],
      "a 204": [`HTTP/1.1 204 No Content\r\n\r\n${poison}`, "HTTP/1.1 204 No Content\r\n\r\n"],
      "a 204 with a length": [`HTTP/1.1 204 No Content\r\n${five}\r\nhello`, "HTTP/1.1 204 No Content\r\n\r\n"],
      "a 204 with chunks": [`HTTP/1.1 204 No Content\r\n${chunked}\r\n${chunks}`, "HTTP/1.1 204 No Content\r\n\r\n"],
      "a 304": [`HTTP/1.1 304 Not Modified\r\n\r\n${poison}`, "HTTP/1.1 304 Not Modified\r\n\r\n"],
      "a 304 with its body": [
        `HTTP/1.1 304 Not Modified\r\n${five}\r\nhello`,
        `HTTP/1.1 304 Not Modified\r\n${five}\r\n`,
      ],
      "a 304 with chunks": [
        `HTTP/1.1 304 Not Modified\r\n${chunked}\r\n${chunks}`,
        "HTTP/1.1 304 Not Modified\r\n\r\n",
      ],
    },
    { reused: false },
  ),
  ...good(
    "bytes behind",
    {
      "HEAD with its body": [whole, head(five)],
      "HEAD with chunks": [`${head(chunked)}${chunks}`, head(chunked)],
      "HEAD and another answer": [`${head(five)}${poison}`, head(five)],
    },
    { method: "HEAD", reused: false },
  ),
];

const chunking = [
  // The head waits for the first of the body, so that what is wrong at once can still be said.
  ...broken("chunks", {
    "a bad size": `${head(chunked)}5\r\nhello\r\nx\r\n\r\n`,
    "a signed size": `${head(chunked)}5\r\nhello\r\n-1\r\n\r\n`,
    "too much data": `${head(chunked)}5\r\nhello!\r\n0\r\n\r\n`,
    "LF after a size": `${head(chunked)}5\r\nhello\r\n5\nhello\r\n0\r\n\r\n`,
    "LF in an extension": `${head(chunked)}5\r\nhello\r\n5;\n\r\nhello\r\n0\r\n\r\n`,
    "LF at the end": `${head(chunked)}5\r\nhello\r\n0\r\n\n`,
    "a length as a trailer": `${head(chunked)}5\r\nhello\r\n0\r\n${five}\r\n`,
    "a cookie as a trailer": `${head(chunked)}5\r\nhello\r\n0\r\nSet-Cookie: a=b\r\n\r\n`,
    "a status line as a trailer": `${head(chunked)}5\r\nhello\r\n0\r\n${poison}`,
    "a huge size": `${head(chunked)}5\r\nhello\r\n1000000000000\r\n`,
  }),
  ...good("chunks", {
    "extensions are dropped": [`${head(chunked)}5;a="b"\r\nhello\r\n0;c\r\n\r\n`, `${head(chunked)}${chunks}`],
    "trailers go on": `${head(chunked)}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
    "trailers that Connection names do not": [
      `${head(`Connection: x-hop\r\n${chunked}`)}5\r\nhello\r\n0\r\nX-Hop: 1\r\nX-Sum: 1\r\n\r\n`,
      `${head(chunked)}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
    ],
  }),
];

const forms = [
  ...good("forms", {
    "no space behind the status": [`HTTP/1.1 200\r\n${five}\r\nhello`, `HTTP/1.1 200 \r\n${five}\r\nhello`],
    "no reason": `HTTP/1.1 200 \r\n${five}\r\nhello`,
    "HTTP/1.0 that stays": [`HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n${five}\r\nhello`, whole],
    "a length that Connection names": [`${head(`Connection: content-length\r\n${five}`)}hello`, whole],
    "a coding that Connection names": [
      `${head(`Connection: transfer-encoding\r\n${chunked}`)}${chunks}`,
      `${head(chunked)}${chunks}`,
    ],
    "a name that only a server behind CGI reads as another": `${head(`Content_Length: 6\r\n${five}`)}hello`,
    "an Upgrade that is only offered": [`${head(`Upgrade: h2c\r\nConnection: Upgrade\r\n${five}`)}hello`, whole],
    "Proxy-Connection": [`${head(`Proxy-Connection: close\r\n${five}`)}hello`, whole],
    "Keep-Alive of 60 s": [`${head(`Keep-Alive: timeout=60\r\n${five}`)}hello`, whole],
    "Keep-Alive that is no number": [`${head(`Keep-Alive: timeout=soon\r\n${five}`)}hello`, whole],
    "a 205 with a body": `HTTP/1.1 205 Reset Content\r\n${five}\r\nhello`,
    "a 204 of length 0": ["HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"],
    "a 304 of any length": "HTTP/1.1 304 Not Modified\r\nContent-Length: 123456\r\n\r\n",
    "a 401 with leading zeros in its length": "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0005\r\n\r\nhello",
  }),
  ...good(
    "forms",
    {
      close: [`${head(`Connection: close\r\n${five}`)}hello`, whole],
      "close in odd case among others": [`${head(`Connection: x, CLOSE\r\nX: y\r\n${five}`)}hello`, whole],
      "close and keep-alive": [`${head(`Connection: keep-alive\r\nConnection: close\r\n${five}`)}hello`, whole],
      "HTTP/1.0": [`HTTP/1.0 200 OK\r\n${five}\r\nhello`, whole],
      "Keep-Alive of 1 s": [`${head(`Keep-Alive: timeout=1\r\n${five}`)}hello`, whole],
      "Keep-Alive of 0 s": [`${head(`Keep-Alive: timeout=0, max=100\r\n${five}`)}hello`, whole],
    },
    { reused: false },
  ),
];

export const answerRows: readonly AnswerRow[] = [
  ...framing,
  ...lines,
  ...information,
  ...behind,
  ...chunking,
  ...forms,
];
