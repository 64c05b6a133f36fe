/**
 * Uniform quantisation of a byte to `levels` evenly spaced grey levels, black and white included:
 * level i stands for round(255·i / (levels − 1)), so that quantising a level gives the level again.
 */
export interface ByteLevels {
  /** Level of each byte, `[256]`. */
  readonly levelOf: Uint8Array;
  /** Byte of each level, `[levels]`. */
  readonly byteOf: Uint8Array;
}

/** The two look-up tables of a quantiser with 2…256 levels. */
export function byteLevels(levels: number): ByteLevels {
  const top = levels - 1;
  return {
    levelOf: Uint8Array.from({ length: 256 }, (_, byte) => Math.round((byte * top) / 255)),
    byteOf: Uint8Array.from({ length: levels }, (_, level) => Math.round((level * 255) / top)),
  };
}
