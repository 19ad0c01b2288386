/** An app whose answers the test holds in its hand. */
import type { Server } from "bun";

export class HeldApp {
  /** Paths in the order in which they were asked for. */
  readonly asked: string[] = [];
  /** Answers a request; may be changed at any time. */
  answer: (request: Request) => Response | Promise<Response>;
  private readonly server: Server<undefined>;

  constructor(answer: HeldApp["answer"] = () => new Response("Hello")) {
    this.answer = answer;
    this.server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request) => {
        this.asked.push(new URL(request.url).pathname);
        return this.answer(request);
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.server.port}`;
  }

  stop(): Promise<void> {
    return this.server.stop(true);
  }
}

/** A promise and its lever, for an answer that is to wait. */
export function gate(): PromiseWithResolvers<void> {
  return Promise.withResolvers<void>();
}
