/**
 * Where a listener listens and where an upstream is: the texts of the configuration and the values made of them.
 */

import { nearest } from "./names.ts";

/** A place to listen on. */
export interface Address {
  /** IPv4 or IPv6 without brackets, or undefined for every address of the machine, IPv4 and IPv6 (dual-stack). */
  readonly host: string | undefined;
  readonly port: number;
  /** How it is written in messages and default names: `8080`, `127.0.0.1:7979`, `[::1]:80`. */
  readonly text: string;
}

/** A place requests are sent to. */
export interface Upstream {
  /** `h2c` is HTTP/2 without TLS, known beforehand; `original` is where a captured connection was going. */
  readonly scheme: "http" | "https" | "h2c" | "tcp" | "tls" | "unix" | "original";
  /** Name or address, IPv6 without brackets; the path of a `unix` one; empty for `original`. */
  readonly host: string;
  /** 0 for `unix` and `original`. */
  readonly port: number;
  /** `host:port` as a Host field carries it: without the scheme's own port, IPv6 in brackets. */
  readonly authority: string;
  /** How it is written in messages: `http://127.0.0.1:7878`. */
  readonly text: string;
}

/** A value that could be read, or what is wrong with it and what would be right. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string; readonly remedy: string };

const addressRemedy = 'write a port such as 8080, or an address with one such as "127.0.0.1:8080" or "[::1]:8080"';

function ipVersion(text: string): 0 | 4 | 6 {
  if (isIpv4(text)) return 4;
  return isIpv6(text) ? 6 : 0;
}

/** True for four decimal numbers from 0 to 255, without leading zeros. */
export function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** True for the text forms of RFC 4291 section 2.2, an embedded IPv4 address at the end included; no zone. */
export function isIpv6(text: string): boolean {
  return ipv6Groups(text) !== undefined;
}

/** The eight 16-bit groups of an IPv6 address, or undefined when it is not one. */
export function ipv6Groups(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = hexGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? hexGroups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function hexGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [at, part] of parts.entries()) {
    if (mayEndInIpv4 && at === parts.length - 1 && isIpv4(part)) {
      const [a, b, c, d] = part.split(".").map(Number) as [number, number, number, number];
      groups.push(a * 256 + b, c * 256 + d);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** Reads a port number: 1 to 65535, or 0 for any free one. */
function parsePort(text: string): Parsed<number> {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65535)
    return { problem: `"${text}" is not a port number`, remedy: "write a number from 1 to 65535" };
  return { value: port };
}

/** Reads `8080`, `":8080"`, `"127.0.0.1:8080"`, `"localhost:8080"` or `"[::1]:8080"`. Port 0 takes any free port. */
export function parseAddress(input: string | number): Parsed<Address> {
  const text = String(input);
  if (isIpv4(text)) return { problem: `"${text}" has no port`, remedy: `write "${text}:8080"` };
  const match = /^(?:\[([^\]]*)\]:|([^:[\]]*):)?(-?[\d.]+)$/.exec(text);
  if (match === null) return { problem: `"${text}" is not an address to listen on`, remedy: addressRemedy };
  const port = parsePort(match[3]!);
  if ("problem" in port) return port;
  return listenHost(match[1], match[2], port.value, text);
}

function listenHost(v6: string | undefined, other: string | undefined, port: number, text: string): Parsed<Address> {
  if (v6 !== undefined) {
    if (!isIpv6(v6)) return { problem: `"${v6}" is not an IPv6 address`, remedy: addressRemedy };
    return { value: { host: v6.toLowerCase(), port, text: `[${v6.toLowerCase()}]:${port}` } };
  }
  if (other === undefined || other === "") return { value: { host: undefined, port, text: String(port) } };
  if (other === "localhost") return { value: { host: "127.0.0.1", port, text: `127.0.0.1:${port}` } };
  if (ipVersion(other) !== 4) return { problem: `"${other}" in "${text}" is not an IP address`, remedy: addressRemedy };
  return { value: { host: other, port, text: `${other}:${port}` } };
}

/** True when both cannot be bound at the same time: same port, and same host or one of them covers the other. */
export function addressesOverlap(a: Address, b: Address): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return coversHost(a.host, b.host) || coversHost(b.host, a.host);
}

function coversHost(wide: string | undefined, narrow: string | undefined): boolean {
  // `::` binds dual-stack as well: Linux leaves IPV6_V6ONLY off, and so do we.
  if (wide === undefined || wide === "::") return true;
  if (wide === "0.0.0.0") return narrow === undefined || narrow === "::" || isIpv4(narrow);
  return wide === narrow;
}

/** Schemes of upstreams that are a host and a port, with the port where none is written. */
const schemePorts: Readonly<Record<string, number>> = { http: 80, https: 443, h2c: 80 };
/** Those of bytes that are not looked into, which have no port of their own. */
const streamSchemes = ["tcp", "tls"];
/** Known only when a connection comes. */
const original: Upstream = { scheme: "original", host: "", port: 0, authority: "", text: "original" };
const upstreamRemedy =
  "write http://host:port, such as http://127.0.0.1:7878, or https://host, h2c://host:port, unix:/path";

/** Reads the address of an upstream: `http://host:port`, `https://host`, `h2c://host:port`, nothing behind it; or `unix:/path`, or `original`. */
export function parseUpstream(text: string): Parsed<Upstream> {
  if (text === "original") return { value: original };
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? "";
  if (scheme === "unix") return parseSocketPath(text);
  if (streamSchemes.includes(scheme) && text.slice(scheme.length).startsWith("://"))
    return parseStreamUpstream(text, scheme);
  if (/^service:\/\//i.test(text)) return { problem: "service:// comes in a later release", remedy: upstreamRemedy };
  const isKnown = Object.hasOwn(schemePorts, scheme) && text.slice(scheme.length).startsWith("://");
  if (!isKnown) return { problem: `"${text}" is not the address of an upstream`, remedy: schemeRemedy(scheme, text) };
  return parseHostUpstream(text, scheme);
}

/** Only a word in front of `://` was meant as a scheme. */
function schemeRemedy(scheme: string, text: string): string {
  const near = text.startsWith("://", scheme.length)
    ? nearest(scheme, [...Object.keys(schemePorts), ...streamSchemes, "unix"])
    : undefined;
  return near === undefined ? upstreamRemedy : `did you mean ${near}:${near === "unix" ? "/path" : "//"}…?`;
}

function parseHostUpstream(text: string, scheme: string): Parsed<Upstream> {
  // The port of h2c is that of http, which the URL parser knows by that name only.
  const h2c = scheme === "h2c";
  const url = URL.parse(h2c ? text.replace(/^h2c/i, "http") : text);
  if (url === null || url.hostname === "")
    return { problem: `"${text}" is not the address of an upstream`, remedy: upstreamRemedy };
  if (url.username !== "" || url.password !== "")
    return { problem: "an upstream's address has no user or password", remedy: `write ${scheme}://${url.host}` };
  if (url.pathname !== "/" || /[?#]/.test(text)) {
    return {
      problem: `"${text}" has a path or query; the request's own is sent on`,
      remedy: `write ${scheme}://${url.host}`,
    };
  }
  const value = upstreamOf(url);
  return { value: h2c ? { ...value, scheme: "h2c", text: value.text.replace("http", "h2c") } : value };
}

function parseStreamUpstream(text: string, scheme: string): Parsed<Upstream> {
  const remedy = `write ${scheme}://host:port, such as ${scheme}://127.0.0.1:5432`;
  const match = /^tcp:\/\/(\[[^\]]+\]|[^:/?#@[\]]+)(?::(\d{1,5}))?(\/?.*)$/i.exec(text.replace(/^tls:/i, "tcp:"));
  const url = match === null ? null : URL.parse(`http://${match[1]}:${match[2] ?? 80}`);
  if (match === null || url === null) return { problem: `"${text}" is not the address of an upstream`, remedy };
  if (match[2] === undefined) return { problem: `"${text}" has no port`, remedy: `write ${scheme}://${match[1]}:5432` };
  if (match[3] !== "" && match[3] !== "/") {
    return { problem: `"${text}" has something behind its port`, remedy: `write ${scheme}://${match[1]}:${match[2]}` };
  }
  const { host, port, authority } = upstreamOf(url);
  return {
    value: {
      scheme: scheme === "tls" ? "tls" : "tcp",
      host,
      port,
      authority,
      text: `${scheme}://${url.hostname}:${port}`,
    },
  };
}

/** `sun_path` has 108 bytes, the last of them zero (unix(7)). */
const longestSocketPath = 107;

function parseSocketPath(text: string): Parsed<Upstream> {
  const path = text.replace(/^unix:(\/\/(?=\/))?/i, "");
  const remedy = "write the absolute path of the socket: unix:/run/app/app.sock";
  if (!/^\/(?!\/)/.test(path) || path.endsWith("/") || path.includes("\0"))
    return { problem: `"${text}" is not the path of a socket`, remedy };
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > longestSocketPath)
    return {
      problem: `the path has ${bytes} bytes; a socket's has at most ${longestSocketPath}`,
      remedy: "shorten it",
    };
  return { value: { scheme: "unix", host: path, port: 0, authority: "localhost", text: `unix:${path}` } };
}

/** The upstream a URL points at. */
export function upstreamOf(url: URL): Upstream {
  const scheme = url.protocol === "https:" ? "https" : "http";
  const port = url.port === "" ? schemePorts[scheme]! : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { scheme, host, port, authority: url.host, text: `${scheme}://${url.hostname}:${port}` };
}
