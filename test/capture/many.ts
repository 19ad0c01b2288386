/**
 * Many connections at once, each with two requests, to the hosts that are named in turn. Words: how many, then hosts.
 * Prints `{ right, wrong }`: answers of the host that was asked, and everything else.
 */
import { Agent, get } from "node:http";

const [count = "1", ...hosts] = process.argv.slice(2);
const wrong: string[] = [];
let right = 0;

function ask(host: string, path: string, agent: Agent): Promise<void> {
  return new Promise((resolve) => {
    const fail = (why: string) => {
      wrong.push(`${host}${path}: ${why}`);
      resolve();
    };
    const request = get({ host, port: 80, path, agent, headers: { host: "anything.example" } }, (response) => {
      let text = "";
      response.on("data", (bytes: Buffer) => {
        text += bytes;
      });
      response.on("error", ({ message }) => fail(message));
      response.on("end", () => {
        if (!text.includes(`"at":"${host} 80"`) || !text.includes(`"url":"${path}"`)) return fail(text);
        right++;
        resolve();
      });
    });
    request.on("error", ({ message }) => fail(message));
  });
}

const all = Array.from({ length: Number(count) }, async (_, at) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const host = hosts[at % hosts.length]!;
  await ask(host, `/first/${at}`, agent);
  await ask(host, `/second/${at}`, agent);
  return agent;
});
const agents = await Promise.all(all);
for (const agent of agents) agent.destroy();
process.stdout.write(JSON.stringify({ right, wrong: wrong.length, examples: wrong.slice(0, 3) }));
