/**
 * The tutorial's three apps in one: it serves on 7878, calls localhost:7979 by the clock, and writes a web
 * server's log files. It knows nothing of the sidecar beside it.
 *
 *   PORT      where it listens (7878)
 *   TARGET_URL  what it calls (http://localhost:7979/hello)
 *   LOG_DIR   where it writes its logs (/opt/sh/openresty/nginx/logs)
 *   INTERVAL  between two calls: 500ms, 15s (15s)
 */
import { accessLine, errorLine, LogFolder } from "../collect-logs/workload.ts";
import { serve } from "../forward-requests/workload.ts";
import { call } from "../intercept-requests/workload.ts";

function milliseconds(text: string): number {
  const amount = Number.parseFloat(text);
  return text.endsWith("ms") ? amount : amount * 1000;
}

const logs = new LogFolder(process.env.LOG_DIR ?? "/opt/sh/openresty/nginx/logs");
const server = serve(Number(process.env.PORT ?? 7878), (requestLine) => {
  console.log("receive a request!");
  logs.access(accessLine("127.0.0.1", requestLine, 200, 5));
});

const url = process.env.TARGET_URL ?? "http://localhost:7979/hello";
const calling = setInterval(
  () => {
    call(url).then(console.log, (error) => {
      console.error("something wrong");
      logs.error(errorLine(`${url}: ${error.message}`));
    });
  },
  milliseconds(process.env.INTERVAL ?? "15s"),
);

process.on("SIGTERM", () => {
  clearInterval(calling);
  server.stop();
  logs.close();
});
