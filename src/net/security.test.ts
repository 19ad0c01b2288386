import { expect, test } from "bun:test";
import { alpnWire, handshakeFailure, tlsTrouble } from "./security.ts";

function failed(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

test.each([
  [failed("EPROTO", "error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER"), "what it sent is not TLS"],
  [
    failed("EPROTO", "error:1000045c:SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED"),
    "it wants a client certificate, and none is configured",
  ],
  [failed("EPROTO", "error:10000001:SSL routines:OPENSSL_internal:SOMETHING_NEW"), "something new"],
  [
    failed("DEPTH_ZERO_SELF_SIGNED_CERT", "self signed certificate"),
    "its certificate is self-signed and not trusted here",
  ],
  [
    failed("ECONNRESET", "Client network socket disconnected before secure TLS connection was established"),
    "it closed the connection during the handshake",
  ],
  [
    failed(
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "Hostname/IP does not match certificate's altnames: Host: b.test. is not in the cert's altnames: DNS:a.test, DNS:localhost",
    ),
    "its certificate is for DNS:a.test, DNS:localhost, not for b.test",
  ],
  [
    failed(
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not in the cert's list: ",
    ),
    "its certificate is not for 10.0.0.1; tls.serverName can say which name to expect",
  ],
  [failed("ERR_TLS_CERT_ALTNAME_INVALID", "in other words"), "its certificate is for another name"],
  [new Error("without a code"), "without a code"],
])("failure %# is told in words", (error, words) => {
  expect(tlsTrouble(error)).toBe(words);
});

test("what the runtime calls a success may be none, and the other way round", () => {
  const client = { serverName: "a" };
  const insecure = { serverName: "a", rejectUnauthorized: false };
  const server = { requestCert: true, rejectUnauthorized: false };
  const name = failed("ERR_TLS_CERT_ALTNAME_INVALID");
  const untrusted = failed("DEPTH_ZERO_SELF_SIGNED_CERT");
  expect(handshakeFailure(client, true, null, true)).toBeUndefined();
  expect(handshakeFailure(client, false, name, true)).toBe(name);
  expect(handshakeFailure(insecure, false, name, true)).toBeUndefined();
  expect(handshakeFailure(insecure, false, failed("ECONNRESET"), true)).toBeDefined();
  expect(handshakeFailure(insecure, false, failed("EPROTO"), true)).toBeDefined();
  expect(handshakeFailure(server, true, untrusted, false)).toBe(untrusted);
  expect(handshakeFailure(server, true, failed("UNABLE_TO_GET_ISSUER_CERT"), true)).toBeUndefined(); // came without one
  expect(handshakeFailure(server, false, failed("EPROTO"), true)).toBeDefined();
});

test("protocols are written as on the wire", () => {
  expect(alpnWire(["h2", "http/1.1"]).toString("latin1")).toBe("\x02h2\x08http/1.1");
});
