/**
 * What secrets look like, wherever they stand in a text. Each shape names words without which it is not there, and only
 * where one of them is a regular expression looks. All of them take time in proportion to the text, whatever it is.
 */
import { replaceCards } from "./card-numbers.ts";
import { keyKinds, nameNeedles, replaceNamedValues } from "./named-values.ts";

/** Makes what stands instead of a secret; called once for each, and for what stands there already. */
export type Replacement = (secret: string) => string;

export interface SecretShape {
  /** In any case; `0` is any digit. Without one of them in the text there is certainly none of this shape. */
  readonly needles: readonly string[];
  /** The text with every secret of this shape replaced. */
  replace(text: string, replacement: Replacement): string;
}

/** A shape that is one pattern, all of which is the secret. */
function whole(needles: readonly string[], pattern: RegExp): SecretShape {
  return {
    needles,
    replace: (text, replacement) => text.replace(pattern, (secret: string) => replacement(secret)),
  };
}

const authorization: SecretShape = {
  needles: ["bearer", "basic"],
  replace: (text, replacement) =>
    text.replace(/\b(bearer|basic)(\s{1,4})([\w.~+/=-]{6,})/gi, (all, scheme: string, space: string, value: string) =>
      isCredential(scheme, value) ? `${scheme}${space}${replacement(value)}` : all,
    ),
};

/** "Basic authentication failed" and "a bearer certificate" are prose. */
function isCredential(scheme: string, value: string): boolean {
  if (scheme.toLowerCase() === "basic") return Buffer.from(value, "base64").includes(":");
  return value.length >= 20 || /[^A-Za-z]/.test(value);
}

const urls: SecretShape = {
  needles: ["@"],
  replace: (text, replacement) =>
    text.replace(
      // JSON may have a backslash before each of its slashes.
      /([a-z][a-z0-9+.-]{0,20}:(?:\\{0,8}\/){2}[^\s/@:"'<>]{0,256}:)([^\s/"'<>]{1,512})@/gi,
      (_, before: string, password: string) => `${before}${replacement(password)}@`,
    ),
};

const keyValues: SecretShape = { needles: nameNeedles, replace: replaceNamedValues };

/** Of Amazon: identifiers of access keys. The secret key itself has no shape, only its name. */
const aws = whole(["akia", "asia"], /(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])/g);

/** RFC 7519: a header that begins `{"`, and two to four further parts. */
const jwt = whole(["eyj"], /(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*){2,4}/g);

/** RFC 7468; without its end, as where a line was cut, everything behind it. */
const privateKeys = whole(
  ["private key"],
  /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----|$)/g,
);

/** Tokens that say themselves what they are: GitHub, GitLab, Slack, Google, Stripe, npm, Vault. */
const tokens = whole(
  ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "aiza", "k_live_", "npm_", "hvs."],
  /(?<![\w-])(?:gh[oprsu]_\w{30,255}|github_pat_\w{30,255}|glpat-[\w-]{20,255}|xox[abeoprs]-[\w-]{10,255}|AIza[\w-]{35}|[rs]k_live_\w{16,255}|npm_\w{36}|hvs\.[\w-]{20,255})/g,
);

const cards: SecretShape = {
  needles: ["000000000000", "0000 0000 0000", "0000-0000-0000", "0000 000000 0000", "0000-000000-0000"],
  replace: replaceCards,
};

const emails = whole(["@"], /[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g);

/** By the name they have in a configuration. */
export const secretShapes = { authorization, jwt, aws, privateKeys, urls, keyValues, tokens, cards, emails } as const;

export type ShapeName = keyof typeof secretShapes;

/** What names of fields end in whose values are secrets; letters only, in lower case. */
export const secretEndings: readonly string[] = [
  ...["password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "credentials"],
  ...["passwords", "passwordconfirmation", "passwordconfirm", "passwordhash", "secrets"],
  ...["authorization", "cookie", "cookies"],
  "secretkeybase",
  ...keyKinds.flatMap((kind) => [`${kind}key`, `${kind}keys`]),
];
const secretName = new RegExp(`(?:${secretEndings.join("|")})$`);

/** True for a field whose name says that its value is a secret: `dbPassword`, `X-Api-Key`, `client_secret`. */
export function isSecretName(name: string): boolean {
  return secretName.test(name.toLowerCase().replace(/[^a-z]/g, ""));
}
