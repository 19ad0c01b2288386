/** The software bill of materials of an image: CycloneDX, by `npm sbom` from package-lock.json, and what npm does not know. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "./elf.ts";
import type { Package } from "./packages.ts";
import { outputOf } from "./programs.ts";

const repository = join(import.meta.dirname, "../..");

interface Component {
  "bom-ref": string;
  type: string;
  name: string;
  version: string;
  purl: string;
}

/** The part of a CycloneDX 1.5 document that is read or changed here. */
interface Bill {
  metadata: { component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

function npm(): string[] {
  const path = process.env.npm_execpath;
  // Node, not us: npm is Node's.
  return path?.endsWith("npm-cli.js") ? ["node", path] : ["npm"];
}

/** The runtime is compiled into the binary, though package.json counts it to the tools. */
function runtime(architecture: Architecture): Component {
  const platform = architecture === "amd64" ? "x64" : "aarch64";
  const purl = `pkg:npm/%40oven/bun-linux-${platform}@${Bun.version}`;
  return { "bom-ref": purl, type: "framework", name: "bun", version: Bun.version, purl };
}

function library({ name, version, architecture }: Package): Component {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}`;
  return { "bom-ref": purl, type: "library", name, version, purl };
}

/** What the image holds: `packages` are those its files came with. */
export function billOf(packages: readonly Package[], architecture: Architecture): Bill {
  const command = ["sbom", "--sbom-format=cyclonedx", "--package-lock-only", "--omit=dev", "--omit=optional"];
  const bill = JSON.parse(outputOf([...npm(), ...command], { cwd: repository })) as Bill;
  const added = [runtime(architecture), ...packages.map(library)];
  const image = bill.metadata.component;
  // npm takes the name from the folder that the repository happens to lie in.
  bill.metadata.component = { ...image, type: "container", name: "outrigger" };
  bill.components.push(...added);
  bill.dependencies.find(({ ref }) => ref === image["bom-ref"])?.dependsOn.push(...added.map((one) => one["bom-ref"]));
  return bill;
}

export function writeBill(file: string, packages: readonly Package[], architecture: Architecture): void {
  writeFileSync(file, `${JSON.stringify(billOf(packages, architecture), undefined, 2)}\n`);
}
