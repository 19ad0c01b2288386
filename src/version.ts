import manifest from "../package.json" with { type: "json" };

/** The version in package.json; the bundler puts the value in its place. */
export const version: string = manifest.version;
