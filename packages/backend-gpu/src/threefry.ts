/** Threefry-2x32 with 20 rounds: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011). */

/**
 * Encrypts the counter `[c0, c1]` with the key `[k0, k1]` into two words, which go to
 * `out[at]` and `out[at + 1]` as signed 32-bit integers.
 */
export function threefry2x32(
  k0: number,
  k1: number,
  c0: number,
  c1: number,
  out: Int32Array,
  at: number,
): void {
  let [ka, kb, kc] = [k0, k1, k0 ^ k1 ^ 0x1bd11bda];
  let x0 = (c0 + ka) | 0;
  let x1 = (c1 + kb) | 0;
  for (let group = 1; group <= 5; group++) {
    const odd = (group & 1) === 1;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, odd ? 13 : 17) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, odd ? 15 : 29) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, odd ? 26 : 16) ^ x0;
    x0 = (x0 + x1) | 0;
    x1 = rotate(x1, odd ? 6 : 24) ^ x0;
    // Every fourth round takes in the key, turned by one word, and counts.
    [ka, kb, kc] = [kb, kc, ka];
    x0 = (x0 + ka) | 0;
    x1 = (x1 + kb + group) | 0;
  }
  out[at] = x0;
  out[at + 1] = x1;
}

/** Rotates 32 bits to the left. */
function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}
