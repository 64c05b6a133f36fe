/**
 * GPT-2's reversible byte alphabet: every byte as one printable character. Bytes that are visible Latin-1 characters
 * stand for themselves, the others for U+0100, U+0101, … in order (space is Ġ, newline Ċ).
 */
export interface ByteAlphabet {
  /** Character of each byte, `[256]`. */
  readonly charOf: readonly string[];
  /** Byte of each character. */
  readonly byteOf: ReadonlyMap<string, number>;
}

/** Builds the alphabet. */
export function byteAlphabet(): ByteAlphabet {
  let next = 0x100;
  const charOf = Array.from({ length: 256 }, (_, byte) => {
    const visible =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(visible ? byte : next++);
  });
  return { charOf, byteOf: new Map(charOf.map((char, byte) => [char, byte])) };
}
