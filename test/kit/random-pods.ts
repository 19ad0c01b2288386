/** Pods of every sort for property tests: valid ones, as people and programs write them, nulls and new fields included. */
import fc from "fast-check";

export type Json = Record<string, unknown>;

const name = fc.stringMatching(/^[a-z]([-a-z0-9]{0,8}[a-z0-9])?$/);
const longName = fc.stringMatching(/^[a-z][-a-z0-9]{61}[a-z0-9]$/);
const user = fc.constantFrom(0, 1, 1000, 7411, 10001, 65532);

/** A map with each member or without it. */
function some(members: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Json> {
  return fc.record(members, { requiredKeys: [] });
}

/** The value, or what programs write for none. */
function orNull<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.option(value, { freq: 6, nil: null });
}

const security = some({
  runAsUser: user,
  runAsGroup: user,
  runAsNonRoot: fc.boolean(),
  seccompProfile: fc.constantFrom({ type: "RuntimeDefault" }, { type: "Unconfined" }),
});

const restrictedSecurity = fc.constant({
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
});

const containerSecurity = fc.oneof(
  restrictedSecurity,
  fc
    .tuple(
      security,
      some({
        allowPrivilegeEscalation: fc.boolean(),
        readOnlyRootFilesystem: fc.boolean(),
        capabilities: fc.constantFrom({ drop: ["ALL"] }, { add: ["CHOWN"] }, { add: ["SYS_ADMIN"] }),
      }),
    )
    .map(([a, b]) => ({ ...a, ...b })),
);

const amounts = some({
  cpu: fc.constantFrom("100m", "1", "0.5"),
  memory: fc.constantFrom("128Mi", "1Gi", "1000000k"),
  "ephemeral-storage": fc.constantFrom("1Gi", "512Mi"),
});
const same = fc.constantFrom({ cpu: "1", memory: "1Gi" }, { cpu: "250m", memory: "64Mi" });
const resources = fc.oneof(
  some({ requests: amounts, limits: amounts }),
  same.map((limits) => ({ limits })),
  same.map((limits) => ({ limits, requests: limits })),
);

const port = fc.constantFrom<string | number>("http", 8080, 9000);
const probe = fc.oneof(
  port.map((one) => ({ httpGet: { path: "/", port: one } })),
  port.map((one) => ({ tcpSocket: { port: one } })),
  fc.constantFrom({ grpc: { port: 9000 } }, { exec: { command: ["true"] } }),
);

const paths = ["/var/log/app", "/var/log", "/data", "/srv/logs/"];

function mounts(volumes: readonly string[]): fc.Arbitrary<unknown[]> {
  if (volumes.length === 0) return fc.constant([]);
  const mount = fc.record(
    {
      name: fc.constantFrom(...volumes),
      mountPath: fc.constantFrom(...paths),
      subPath: fc.constant("part"),
      readOnly: fc.boolean(),
    },
    { requiredKeys: ["name", "mountPath"] },
  );
  return fc.uniqueArray(mount, { maxLength: 3, selector: (one) => one.mountPath.replace(/\/$/, "") });
}

function container(volumes: readonly string[]): fc.Arbitrary<Json> {
  return fc.record(
    {
      name: fc.oneof({ weight: 9, arbitrary: name }, { weight: 1, arbitrary: longName }),
      image: fc.constantFrom("web", "registry.example.com/web:1", "outrigger-app:1"),
      args: orNull(fc.array(fc.string(), { maxLength: 2 })),
      env: orNull(fc.constant([{ name: "A", value: "~/b" }])),
      ports: orNull(
        fc.constantFrom([], [{ name: "http", containerPort: 8080 }], [{ containerPort: 9000, protocol: "UDP" }]),
      ),
      volumeMounts: orNull(mounts(volumes)),
      resources: orNull(resources),
      securityContext: orNull(containerSecurity),
      readinessProbe: probe,
      livenessProbe: probe,
      lifecycle: orNull(
        fc.constantFrom({}, { preStop: { exec: { command: ["true"] } } }, { postStart: { httpGet: { port: 80 } } }),
      ),
    },
    { requiredKeys: ["name", "image"] },
  );
}

const volumeSource = fc.constantFrom<Json>(
  { emptyDir: {} },
  { configMap: { name: "c" } },
  { persistentVolumeClaim: { claimName: "p" } },
  { secret: { secretName: "s" } },
  { hostPath: { path: "/var/log" } },
);

const strangeKeys = fc.constantFrom("a/b", "a~b", "a~1b", "example.com/x~y", "plain", "__proto__.x");

/** Settings that fit every pod, or are refused for a reason. */
const settings = some({
  "outrigger.dev/lifecycle": fc.constantFrom("native", "plain"),
  "outrigger.dev/log-path": fc.constantFrom("/var/log/app", "/var/log/app,/logs", "/data/"),
  "outrigger.dev/capture": fc.constantFrom("loopback", "loopback", "redirect"),
  "outrigger.dev/inbound": fc.constantFrom("service", "redirect", "off"),
  "outrigger.dev/inbound-ports": fc.constantFrom("15080:8080", "8081:9000,8082:8080"),
  "outrigger.dev/run-as": fc.constantFrom("fixed", "app", "unset"),
  "outrigger.dev/api-token": fc.constantFrom("none", "own"),
  "outrigger.dev/app-pre-stop-sleep": fc.constantFrom("5", "20"),
  "outrigger.dev/env": fc.constantFrom("A=1", "A=0o17,B=yes,C=12:30:45", "POD_NAME=mine"),
  "outrigger.dev/config": fc.constantFrom("{}", "inbound: [{ listen: 8081, to: http://127.0.0.1:8080 }]"),
  "outrigger.dev/cpu-request": fc.constantFrom("10m", "2"),
  "outrigger.dev/memory-limit": fc.constantFrom("32Mi", "1Gi"),
});

const annotations = fc
  .tuple(
    fc.dictionary(strangeKeys, fc.string()),
    settings,
    some({
      "kubectl.kubernetes.io/default-container": name,
      "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": fc.constantFrom("", "cache", "outrigger-tmp,a"),
    }),
  )
  .map(([strange, ours, theirs]) => ({ ...strange, ...ours, ...theirs }));

function metadata(): fc.Arbitrary<Json> {
  return some({
    name,
    generateName: fc.constant("web-"),
    labels: orNull(fc.dictionary(strangeKeys, fc.constantFrom("a", "b"))),
    annotations: fc.oneof({ weight: 1, arbitrary: fc.constant(null) }, { weight: 9, arbitrary: annotations }),
  });
}

function spec(volumes: readonly (readonly [string, Json])[]): fc.Arbitrary<Json> {
  const names = volumes.map(([one]) => one);
  const init = fc
    .tuple(container(names), fc.boolean())
    .map(([one, stays]) => (stays ? { ...one, restartPolicy: "Always" } : one));
  return fc
    .record(
      {
        containers: fc.array(container(names), { minLength: 1, maxLength: 3 }),
        initContainers: orNull(fc.array(init, { maxLength: 2 })),
        ephemeralContainers: fc.array(container(names), { maxLength: 1 }),
        volumes: orNull(fc.constant(volumes.map(([one, source]) => ({ name: one, ...source })))),
        securityContext: orNull(fc.oneof(security, restrictedSecurity.map(podSecurityOf))),
        terminationGracePeriodSeconds: fc.constantFrom(0, 10, 30, 120),
        automountServiceAccountToken: fc.boolean(),
        serviceAccountName: name,
        restartPolicy: fc.constantFrom("Always", "Never"),
        shareProcessNamespace: fc.boolean(),
        resources: fc.constant({ requests: { cpu: "1", memory: "1Gi" } }),
        newField: fc.constant({ kept: [1, { "a/b~": null }] }),
      },
      { requiredKeys: ["containers"] },
    )
    .map((one) => (names.length === 0 ? one : { ...one, volumes: volumes.map(([n, s]) => ({ name: n, ...s })) }));
}

function podSecurityOf({ runAsNonRoot, seccompProfile }: { runAsNonRoot: boolean; seccompProfile: Json }): Json {
  return { runAsNonRoot, seccompProfile };
}

/** Names of containers are unique over the pod's lists. */
function withDistinctNames(pod: Json): Json {
  const taken = new Set<string>();
  const spec = pod.spec as Record<string, Json[] | null>;
  for (const list of ["initContainers", "containers", "ephemeralContainers"]) {
    for (const one of spec[list] ?? []) {
      while (taken.has(String(one.name))) one.name = `${String(one.name).slice(0, 60)}x${taken.size}`;
      taken.add(String(one.name));
    }
  }
  return pod;
}

const volumeList = fc.uniqueArray(fc.tuple(name, volumeSource), { maxLength: 3, selector: ([one]) => one });

/** A pod, in which nothing is shared. `status` and other metadata of a cluster are not there: it is one that is about to be created. */
export const randomPod: fc.Arbitrary<Json> = volumeList
  .chain((volumes) => fc.tuple(fc.option(metadata(), { freq: 9, nil: undefined }), spec(volumes)))
  .map(([meta, body]) =>
    withDistinctNames(
      JSON.parse(
        JSON.stringify({
          apiVersion: "v1",
          kind: "Pod",
          ...(meta === undefined ? {} : { metadata: meta }),
          spec: body,
        }),
      ),
    ),
  );
