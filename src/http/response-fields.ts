/** The answer's head as filters see and edit it. */
import type { Field, ResponseView } from "../contracts.ts";
import { HeadFields } from "./fields.ts";
import type { ResponseHead } from "./response-head.ts";

export class ResponseFields extends HeadFields implements ResponseView {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, source: ResponseHead | undefined, list?: Field[]) {
    super(source, list);
    this.status = status;
    this.reason = reason;
  }
}
