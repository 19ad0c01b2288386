import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isCard } from "./card-numbers.ts";
import { NeedleScan } from "./needle-scan.ts";
import { isSecretName, type ShapeName, secretShapes } from "./secret-shapes.ts";

/** As redaction uses it: the pattern looks only where a needle is. */
function redacted(shape: ShapeName, text: string): string {
  const { needles, replace } = secretShapes[shape];
  const scan = new NeedleScan(needles.map((needle) => [needle, 1]));
  return scan.scan(text) === 0 ? text : replace(text, () => "***");
}

const jwt = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}`;
const basic = Buffer.from("user:pass").toString("base64");
/** Put together here so that nobody takes this file for a leak. */
const github = `${"ghp"}_${"a1B2".repeat(9)}`;

describe("secrets are found:", () => {
  const cases: [ShapeName, string, string][] = [
    ["authorization", `Authorization: Bearer abc.def-123`, "Authorization: Bearer ***"],
    ["authorization", `{"authorization":"bearer abcdef123456"}`, `{"authorization":"bearer ***"}`],
    ["authorization", `Proxy-Authorization: BASIC ${basic}`, "Proxy-Authorization: BASIC ***"],
    ["authorization", `-H 'Authorization: Basic ${basic}' x`, "-H 'Authorization: Basic ***' x"],
    ["jwt", `token ${jwt} seen`, "token *** seen"],
    ["jwt", `{"t":"${jwt}"}`, `{"t":"***"}`],
    ["aws", "id AKIAIOSFODNN7EXAMPLE used", "id *** used"],
    ["aws", "ASIAIOSFODNN7EXAMPLE", "***"],
    ["privateKeys", "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY----- b", "a *** b"],
    ["privateKeys", '"k":"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"', '"k":"***\\n"'],
    ["privateKeys", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "***"],
    ["privateKeys", "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----", "***"],
    ["urls", "connect postgres://app:s3cret@db:5432/shop now", "connect postgres://app:***@db:5432/shop now"],
    ["urls", "redis://:s3cret@cache", "redis://:***@cache"],
    ["urls", "amqp://a:p@ss@mq/", "amqp://a:***@mq/"],
    ["keyValues", "password=hunter2 user=joe", "password=*** user=joe"],
    ["keyValues", "Password: hunter2, next", "Password: ***, next"],
    ["keyValues", "DB_PASSWORD='a b' x", "DB_PASSWORD='***' x"],
    ["keyValues", '{"password":"a\\"b","n":1}', '{"password":"***","n":1}'],
    ["keyValues", '{"pin_password": 1234}', '{"pin_password": "***"}'],
    ["keyValues", '"{\\"password\\":\\"abc\\",\\"n\\":1}"', '"{\\"password\\":\\"***\\",\\"n\\":1}"'],
    ["keyValues", "clientSecret=abc&api_key=def;x", "clientSecret=***&api_key=***;x"],
    ["keyValues", "X-Api-Key: 0123", "X-Api-Key: ***"],
    ["keyValues", "aws_secret_access_key = wJalr/XUtn", "aws_secret_access_key = ***"],
    ["keyValues", ':password => "x"', ':password => "***"'],
    ["keyValues", "Uid=sa;Pwd=x;", "Uid=sa;Pwd=***;"],
    ["keyValues", "?access_token=abc&token=def", "?access_token=***&token=***"],
    ["keyValues", "password=[FILTERED] a", "password=*** a"],
    ["keyValues", 'password="never closed', 'password="***"'],
    ["urls", "postgres:\\/\\/app:s3cret@db", "postgres:\\/\\/app:***@db"],
    ["keyValues", '"password": ["a b", "c"], "n": 1', '"password": "***", "n": 1'],
    ["keyValues", '{"password":{"a":"}"},"n":1}', '{"password":"***","n":1}'],
    ["keyValues", '{"password":{"a":"cut off', '{"password":"***"'],
    ["keyValues", '"{\\"password\\":\\"a\\\\\\"b\\",\\"n\\":1}"', '"{\\"password\\":\\"***\\",\\"n\\":1}"'],
    ["keyValues", '"{\\"password\\":[\\"a]\\",2],\\"n\\":1}"', '"{\\"password\\":\\"***\\",\\"n\\":1}"'],
    ["keyValues", '"m":"\\"password\\": \\"cut off","n":1', '"m":"\\"password\\": \\"***\\"","n":1'],
    ["keyValues", "{ password: [ 'a]b' ], n: 1 }", "{ password: ***, n: 1 }"],
    ["keyValues", 'password: Some("a b"), n: 1', "password: ***, n: 1"],
    ["keyValues", "Password:[]uint8{0x1, 0x2} N:1", "Password:*** N:1"],
    ["keyValues", "{'password': b'x y', 'n': 1}", "{'password': '***', 'n': 1}"],
    ["keyValues", "password='it''s' x", "password='***' x"],
    ["keyValues", "password                 : x y", "password                 : *** y"],
    ["keyValues", "password=a&password_confirmation=b", "password=***&password_confirmation=***"],
    [
      "keyValues",
      "user[password]=a&api_keys[]=b&user%5Btoken%5D=c",
      "user[password]=***&api_keys[]=***&user%5Btoken%5D=***",
    ],
    ["keyValues", "to=https%3A%2F%2Fx%3Faccess_token%3Dabc", "to=https%3A%2F%2Fx%3Faccess_token%3D***"],
    ["keyValues", "?access_token\\u003dabc\\u0026x=1", "?access_token\\u003d***\\u0026x=1"],
    ["keyValues", "<w:Password Type='t'>x y</w:Password> z", "<w:Password Type='t'>***</w:Password> z"],
    ["keyValues", "mysql --password hunter2 -h db", "mysql --password *** -h db"],
    ["keyValues", "PRIVATE-TOKEN: x; token: abc12345", "PRIVATE-TOKEN: ***; token: ***"],
    ["keyValues", "Cookie: sid=a; theme=b\r\nHost: x", "Cookie: ***\r\nHost: x"],
    ["keyValues", '-H "Set-Cookie: sid=a; HttpOnly" x', '-H "Set-Cookie: ***" x'],
    ["keyValues", "Authorization: ApiKey x1, b", "Authorization: ApiKey ***, b"],
    ["keyValues", '"Authorization": "Bearer x1"', '"Authorization": "Bearer ***"'],
    ["keyValues", "map[Authorization:[Bearer x1] Cookie:[a=b]]", "map[Authorization:*** Cookie:***]"],
    ["tokens", `push with ${github}.`, "push with ***."],
    ["tokens", `${"xox"}b-1234567890-abcdef`, "***"],
    ["tokens", `${"AI"}za${"x".repeat(35)}`, "***"],
    ["cards", "card 4111 1111 1111 1111 2026", "card *** 2026"],
    ["cards", "4111111111111111,5500-0000-0000-0004", "***,***"],
    ["cards", "3782 822463 10005", "***"],
    ["cards", "30569309025904", "***"],
    ["cards", "6304000000000000 and 4222222222222", "*** and ***"],
    ["cards", '{"n":4111111111111111}', '{"n":***}'],
    ["emails", "to jane.doe+x@mail.example.org.", "to ***."],
  ];
  test.each(cases)("%s in %p", (shape, text, expected) => expect(redacted(shape, text)).toBe(expected));
});

describe("what only looks like one stays:", () => {
  const cases: [ShapeName, string][] = [
    ["authorization", "Basic authentication failed"],
    ["authorization", "the bearer certificate"],
    ["jwt", "eyJ.a.b"],
    ["aws", "xAKIAIOSFODNN7EXAMPLEx"],
    ["privateKeys", "-----BEGIN PUBLIC KEY-----"],
    ["urls", "http://host:8080/a?mail=a@b.c"],
    ["urls", "see http://host/ or mail a:b@c"],
    ["keyValues", "password is wrong"],
    ["keyValues", '"password":null'],
    ["keyValues", "if (password == x) secret != y"],
    ["keyValues", "unexpected token: }"],
    ["keyValues", "unexpected token: something"],
    ["keyValues", "Authorization: denied for user joe"],
    ["keyValues", "cookie: not found"],
    ["keyValues", "no password> given, --password -h db"],
    ["keyValues", "max_tokens=5 prompt_tokens: 9"],
    ["keyValues", "keyboard: qwerty, monkey=1"],
    ["cards", "1700000000000000000 4111111111111112 2026-11-26 04:00:00"],
    ["cards", "41111111111111111111111111"],
    ["cards", "0x4111111111111111"],
    ["emails", "@example and a@b"],
  ];
  test.each(cases)("%s in %p", (shape, text) => {
    const expected = text === "0x4111111111111111" ? "0x***" : text;
    expect(redacted(shape, text)).toBe(expected);
  });
});

test("where no needle of a shape is, its pattern finds nothing", () => {
  const parts = [
    ...["Bearer ", "BASIC ", basic, jwt, "AKIAIOSFODNN7EXAMPLE", "-----BEGIN ", "PRIVATE KEY", "-----", github],
    ...[
      "https://",
      "a:b",
      "@",
      "host.test",
      "password",
      "PASS",
      "wd",
      "token",
      "api",
      "_",
      "-",
      "Key",
      "=",
      ": ",
      '"',
      "\\",
    ],
    ...[
      "4111",
      " ",
      "1111",
      "411111",
      "30569309025904",
      "eyJ",
      "aaaaaaaa",
      ".",
      "xoxb-",
      "0123456789",
      "é",
      "ſecret=x",
      "\u212Aey=x",
      ...["Cookie: a=b", "Authorization: Basic x", "--token ", "<secret>", "[", "}", "%3D"],
    ],
  ];
  let found = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 12 }), (some) => {
      const text = some.join("");
      for (const name of Object.keys(secretShapes) as ShapeName[]) {
        const bySearch = secretShapes[name].replace(text, () => "***");
        expect([name, redacted(name, text)]).toEqual([name, bySearch]);
        if (bySearch !== text) found++;
      }
    }),
    { numRuns: 3_000 },
  );
  expect(found).toBeGreaterThan(500);
});

test("names say what is secret", () => {
  for (const name of [
    "password",
    "db_password",
    "clientSecret",
    "X-Api-Key",
    "authToken",
    "Authorization",
    "Set-Cookie",
  ])
    expect([name, isSecretName(name)]).toEqual([name, true]);
  for (const name of ["passwords_changed", "keys", "monkey", "tokens", "message", "author"])
    expect([name, isSecretName(name)]).toEqual([name, false]);
});

test("card numbers have an issuer, a length and a check digit", () => {
  expect(["4111111111111111", "4111-1111-1111-1111", "378282246310005", "2720994326581252"].map(isCard)).toEqual(
    new Array(4).fill(true),
  );
  expect(["4111111111111110", "411111111111111", "1111111111111117", "2721000000000004"].map(isCard)).toEqual(
    new Array(4).fill(false),
  );
});

describe("no text takes long:", () => {
  const megabyte = 1024 * 1024;
  const hostile = {
    letters: "a",
    at: "a@",
    scheme: "a://",
    words: "password ",
    signs: "password=",
    quotes: 'password="\\"',
    backslashes: "password=\\",
    dots: "eyJaaaaaaaa.",
    digits: "4111 ",
    digit: "4",
    begin: "-----BEGIN PRIVATE KEY-----",
    bearer: "bearer ",
    spaces: "token        ",
    brackets: "password=[",
    lines: "password={\n",
    quoted: 'password=["',
    elements: "<password ",
    dashes: "--password ",
    cookies: "cookie:a=b;",
    names: "password" + "_",
    escapes: '\\"password\\":\\"\\\\',
    closings: 'password="x""',
  };
  // Any that grew with the square of the text would take minutes.
  test.each(Object.entries(hostile))("a megabyte of %s", (_, unit) => {
    const text = unit.repeat(megabyte / unit.length);
    const begun = performance.now();
    for (const shape of Object.keys(secretShapes) as ShapeName[]) redacted(shape, text);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});
