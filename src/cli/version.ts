import { defineCommand } from "../contracts.ts";
import { version } from "../version.ts";

export default defineCommand({
  name: "version",
  doc: "Print the version.",
  run(_options, _operands, io) {
    io.out(`${version}\n`);
    return 0;
  },
});
