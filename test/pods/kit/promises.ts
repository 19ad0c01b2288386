/** What the tutorial promises that each container of a sample prints. */

/** What a container must have printed: to stdout, and how often in the time that a pod is watched. */
export interface Promised {
  /** As the sample's own pod names it. */
  container: string;
  /** True where that is the sidecar. */
  isSidecar?: true;
  line: RegExp;
  times: number;
}

const combined = /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/ HTTP\/1\.1" 200 \d+ "-" "-"$/m;
const akka =
  /^HttpResponse\(200 OK,List\(Server: [^,]+, Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\),HttpEntity\.Strict\(text\/html; charset=UTF-8,31 bytes total\),HttpProtocol\(HTTP\/1\.1\)\)$/m;
const pid = /^\d+$/m;
const received = /^receive a request!$/m;
const hello = /^Hello$/m;
const taken = /^\{.*"\/hello".*\}$/m;

/** The tutorial's words; every 15 s, so twice in half a minute. */
export const promises: Record<string, readonly Promised[]> = {
  "collect-logs": [
    { container: "sidecar-container", isSidecar: true, line: pid, times: 1 },
    { container: "sidecar-container", isSidecar: true, line: combined, times: 5 },
  ],
  "forward-requests": [
    { container: "input-server", line: received, times: 2 },
    { container: "input-sidecar", isSidecar: true, line: hello, times: 2 },
  ],
  "intercept-requests": [
    { container: "output-workload", line: akka, times: 2 },
    { container: "sidecar-output", isSidecar: true, line: taken, times: 2 },
  ],
  "mend-permissions": [
    { container: "mend-permissions", line: /^\/data: owner 0:0 -> 10001:7411$/m, times: 1 },
    { container: "mend-permissions", line: /^\/data: mode 0777 -> 0750$/m, times: 1 },
    { container: "app", line: /^\/data is mine alone: starting$/m, times: 1 },
    { container: "sidecar-container", isSidecar: true, line: /^record \d+ is safe$/m, times: 5 },
  ],
  "all-in-one": [
    { container: "app", line: received, times: 2 },
    { container: "app", line: akka, times: 2 },
    { container: "sidecar", isSidecar: true, line: hello, times: 2 },
    { container: "sidecar", isSidecar: true, line: combined, times: 2 },
    { container: "sidecar", isSidecar: true, line: taken, times: 2 },
  ],
};

/** A line that has come so many times, whatever is between. */
export function often({ line, times }: Promised): RegExp {
  return new RegExp(`(?:${line.source}[\\s\\S]*?){${times}}`, "m");
}
