declare module "snappyjs" {
  /** @throws Error for what is no block of snappy */
  export function uncompress(compressed: Uint8Array): Uint8Array;
}
