/** An exchange's way to its upstream, as the client's side of it sees it. */
import type { BodyForm } from "./body.ts";

export interface Way {
  /** In which form the client's body is wanted. */
  readonly requestForm: BodyForm;
  /** False while the body has to wait. */
  readonly takesBody: boolean;
  /** Bytes of the request that wait for the upstream to take them. */
  readonly heldBytes: number;
  /** Body from the client, in `requestForm`. */
  sendBody(pieces: Uint8Array[], last: boolean): void;
  /** The client takes more of the answer. */
  onClientDrain(): void;
  /** The exchange is over for another reason: let go of the upstream. */
  abandon(): void;
}
