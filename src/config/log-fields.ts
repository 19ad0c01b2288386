/** `fields:` and `pod:` of an entry of `logs:`: what is said of all its records. */
import * as z from "zod";
import { type PodWish, podFields } from "./pod-info.ts";
import { readingFiles } from "./reading.ts";
import { filePath, option } from "./scalars.ts";

const fieldName = z.string().min(1);
const plain = z.union([z.string(), z.number(), z.boolean()]);
type Plain = z.output<typeof plain>;

/** Fields of every record of an entry. */
export type EntryFields = Readonly<Record<string, Plain>>;

function keys(doc: string) {
  return option(z.union([z.boolean(), z.array(fieldName)]), doc);
}

function podOptions() {
  return z.strictObject({
    volume: option(
      filePath("/etc/podinfo"),
      "Folder of the downwardAPI volume, with the files `labels` and `annotations`. They are read again when they change.",
    ).prefault("/etc/podinfo"),
    labels: keys(
      "Labels that become fields, as `label_app`: a list of keys, or all but those that controllers make, such as `pod-template-hash`.",
    ).prefault(true),
    annotations: keys("Annotations that become fields, as `annotation_team`: a list of keys, or all.").prefault(false),
  });
}

/** The keys of an entry. */
export function logFieldsShape() {
  return {
    fields: option(
      z.record(fieldName, plain),
      "Fields of every record, beside its own: labels in Loki, resource attributes in OTLP, members of JSON documents. They come before those of `pod`.",
      { default: "{}" },
    ).optional(),
    pod: option(
      z.union([z.boolean(), podOptions()]),
      "Fields that say which pod it is, from the downward API: `pod`, `namespace`, `node`, `service_account`, `pod_ip`, `host_ip`, `pod_uid` from the variables `POD_NAME`, `POD_NAMESPACE`, `NODE_NAME`, `POD_SERVICE_ACCOUNT`, `POD_IP`, `HOST_IP`, `POD_UID`, and labels from a volume. What is not known is left out. `true` is all defaults.",
      { default: "false" },
    ).optional(),
  };
}

export interface LogFieldOptions {
  readonly fields?: EntryFields | undefined;
  readonly pod?: boolean | PodWish | undefined;
}

/** The fields of every record: those of the pod, and over them those written out. To be called while the configuration is read: the pod's files are looked at. */
export function toEntryFields({ fields = {}, pod = false }: LogFieldOptions): EntryFields {
  if (pod === false) return fields;
  const wish = pod === true ? podOptions().parse({}) : pod;
  return { ...podFields(wish, readingFiles.environment(), readingFiles.look), ...fields };
}
