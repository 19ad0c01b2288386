/** Body hooks change what goes on, however it is framed and cut. */
import { afterEach, describe, expect, test } from "bun:test";
import { closeScenes, doing, exchange, filterOf, sceneOf } from "../kit/filters.ts";
import { bytesOf, ok } from "../kit/raw.ts";
import { strictRequests, valuesOf } from "../kit/strict.ts";
import { answers, later, requests, type Transform, text, upper } from "./body-samples.ts";

afterEach(closeScenes);

/** Keeps everything and gives it out at the end, with an end of its own. */
function gathered(): Transform {
  const kept: Uint8Array[] = [];
  return (chunk, last) => {
    kept.push(chunk);
    return last ? bytesOf(`${Buffer.concat(kept).toString("latin1")}!`) : null;
  };
}

const transforms: Record<string, [make: () => Transform, wanted: string]> = {
  "as it comes": [() => (chunk) => chunk, text],
  "in capitals": [() => upper, text.toUpperCase()],
  longer: [() => (chunk) => Buffer.concat([chunk, chunk]), ""],
  "only what is not a blank": [
    () => (chunk) => bytesOf(Buffer.from(chunk).toString("latin1").replaceAll(" ", "")),
    text.replaceAll(" ", ""),
  ],
  "nothing at all": [() => () => null, ""],
  "empty pieces": [() => () => new Uint8Array(0), ""],
  "all at the end": [gathered, `${text}!`],
  "something only at the end": [() => (_, last) => (last ? bytesOf("end") : null), "end"],
};

const ways: Record<string, (transform: Transform) => Transform> = { "at once": (transform) => transform, later };

function matches(name: string, body: string | undefined, wanted: string): void {
  if (name === "longer") expect(body?.length).toBe(text.length * 2);
  else expect(body).toBe(wanted);
}

describe.each(Object.entries(ways))("%s:", (_, way) => {
  describe.each(Object.entries(transforms))("%s", (name, [make, wanted]) => {
    test.each(Object.entries(requests))("request, %s", async (_, pieces) => {
      const filter = filterOf("change", { requestBody: way(make()) });
      const { port, upstream } = await sceneOf(
        [filter],
        doing((connection) => connection.send(ok())),
      );
      expect((await exchange(port, ...pieces)).status).toBe(200);
      const { messages } = strictRequests(upstream.received);
      matches(name, messages[0]!.body, wanted);
      expect(valuesOf(messages[0]!, "content-length")).toEqual([]);
    });

    test.each(Object.entries(answers))("answer, %s", async (kind, pieces) => {
      const filter = filterOf("change", { responseBody: way(make()) });
      const script = doing((connection) => {
        void connection.sendPieces(pieces).then(() => (kind.startsWith("until") ? connection.finish() : undefined));
      });
      const { port } = await sceneOf([filter], script);
      const { message, body } = await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      matches(name, body, wanted);
      expect(valuesOf(message!, "content-length")).toEqual([]);
    });
  });
});
