/** h2spec's cases against a listener: https://github.com/summerwind/h2spec. docs/http2.md names what fails, and why. */
import { expect, test } from "bun:test";
import { App } from "../kit/app.ts";
import { program, run } from "../kit/commands.ts";
import { forwardTo, TestEngine } from "../kit/engine.ts";

/** The port speaks HTTP/1 too: what is no preface is answered 400 in HTTP/1.1 before the connection closes. */
const expected = ["2: Sends invalid connection preface"];

const h2spec = program("h2spec", "go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible");

test.skipIf(h2spec === undefined)(
  "h2spec passes but for the case that a port for both versions cannot pass",
  async () => {
    const app = App.answering(() => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    const engine = await TestEngine.start({ routes: forwardTo(app.port) });
    const { out } = await run(h2spec!, ["-S", "-h", "127.0.0.1", "-p", String(engine.port()), "-o", "5"], 100_000);
    const failures = out.slice(out.indexOf("Failures:"));
    const failed = [...failures.matchAll(/× (.*)/g)].map((match) => match[1]!.trim());
    engine.stop();
    app.stop();
    expect(failed).toEqual(expected);
    expect(Number(/(\d+) tests/.exec(out)?.[1])).toBeGreaterThan(140);
  },
  120_000,
);
