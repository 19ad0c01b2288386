import { describe, expect, test } from "bun:test";
import { type PodWish, parsePairs, podFields } from "./pod-info.ts";

const wish: PodWish = { volume: "/etc/podinfo", labels: true, annotations: false };
const nothing = () => undefined;

/** Files by path. */
function reading(files: Record<string, string>): (path: string) => string | undefined {
  return (path) => files[path];
}

describe("a pod's fields", () => {
  test("come from the variables of the downward API, under any of their usual names", () => {
    const env = { POD_NAME: "p-1", MY_POD_NAMESPACE: "shop", K8S_NODE_NAME: "n-1", POD_IP: "10.0.0.1", HOST_IP: "" };
    expect(podFields(wish, env, nothing)).toEqual({ pod: "p-1", namespace: "shop", node: "n-1", pod_ip: "10.0.0.1" });
  });

  test("come from what every container is given where there are none; and only in a pod", () => {
    const namespace = reading({ "/var/run/secrets/kubernetes.io/serviceaccount/namespace": "shop\n" });
    expect(podFields(wish, { HOSTNAME: "p-1", KUBERNETES_SERVICE_HOST: "10.0.0.1" }, namespace)).toEqual({
      pod: "p-1",
      namespace: "shop",
    });
    expect(podFields(wish, { HOSTNAME: "laptop" }, nothing)).toEqual({});
  });

  const volume = reading({
    "/etc/podinfo/labels": 'app.kubernetes.io/name="shop"\npod-template-hash="5d4f"\ntier="a \\"b\\""\n',
    "/etc/podinfo/annotations": 'team="x"\nkubectl.kubernetes.io/last-applied-configuration="{}"\n',
  });

  test("are all labels but those of controllers, and no annotations", () => {
    expect(podFields(wish, {}, volume)).toEqual({ label_app_kubernetes_io_name: "shop", label_tier: 'a "b"' });
  });

  test("are the labels and annotations that are listed", () => {
    const chosen = { ...wish, labels: ["pod-template-hash", "missing"], annotations: ["team"] };
    expect(podFields(chosen, {}, volume)).toEqual({ label_pod_template_hash: "5d4f", annotation_team: "x" });
    expect(podFields({ ...wish, labels: false, annotations: true }, {}, volume)).toEqual({
      annotation_team: "x",
      annotation_kubectl_kubernetes_io_last_applied_configuration: "{}",
    });
  });

  test("are looked for in the folder that is named", () => {
    const asked: string[] = [];
    podFields({ ...wish, volume: "/pod", annotations: true }, { POD_NAMESPACE: "a" }, (path) => {
      asked.push(path);
      return undefined;
    });
    expect(asked).toEqual(["/pod/labels", "/pod/annotations"]);
  });
});

test("pairs are read as Go quotes them", () => {
  const text =
    'a="x\\ty\\n\\"z\\"\\\\"\nb="\\u00e9\\x41\\U0001f600\\a"\nc=""\nno quotes=x\n="x"\nd="un\\ closed\ne="last"';
  expect(parsePairs(text)).toEqual([
    ["a", 'x\ty\n"z"\\'],
    ["b", "éA😀\x07"],
    ["c", ""],
    ["e", "last"],
  ]);
});
