/** What builds an image and writes it to an archive: podman, buildah or docker. */
import { rmSync } from "node:fs";
import type { Architecture } from "./elf.ts";
import { outputOf, works } from "./programs.ts";

/** An image to be built. */
export interface Image {
  /** With registry, path and tag: `docker.io/library/outrigger:0.1.0`. */
  name: string;
  /** A stage of the Containerfile. */
  stage: string;
  architecture: Architecture;
  containerfile: string;
  /** The folder that COPY reads. */
  context: string;
  labels: Record<string, string>;
}

export type EngineName = "podman" | "buildah" | "docker";
export const engineNames: readonly EngineName[] = ["podman", "buildah", "docker"];

/** How an engine writes an image to a file that `podman load`, `docker load` and `ctr images import` take. */
const saving: Record<EngineName, (name: string, file: string) => string[]> = {
  podman: (name, file) => ["podman", "save", "--quiet", "--format", "docker-archive", "--output", file, name],
  buildah: (name, file) => ["buildah", "push", "--quiet", name, `docker-archive:${file}:${name}`],
  docker: (name, file) => ["docker", "save", "--output", file, name],
};

/** The engine that was asked for, else the first that works here. Throws, saying what to install. */
export function engine(wished?: EngineName): EngineName {
  const found = (wished === undefined ? engineNames : [wished]).find((name) => works(name, "info"));
  if (found !== undefined) return found;
  throw new Error(
    wished === undefined
      ? "no podman, buildah or docker works here: install one (Debian: apt-get install podman)"
      : `${wished} does not work here: \`${wished} info\` says why`,
  );
}

/** Builds the image; it then has its name in the engine's storage. */
export function build(engine: EngineName, image: Image): void {
  const labels = Object.entries(image.labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
  const platform = ["--platform", `linux/${image.architecture}`];
  const what = ["--target", image.stage, "--file", image.containerfile, "--tag", image.name];
  outputOf([engine, "build", ...platform, ...what, ...labels, image.context]);
}

/** Writes a built image to `file`, replacing what was there. */
export function save(engine: EngineName, name: string, file: string): void {
  rmSync(file, { force: true });
  outputOf(saving[engine](name, file));
}
