/** Threefry-2x32 with 20 rounds: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011). */

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const parity = 0x1bd11bda;

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
  const schedule = [k0, k1, k0 ^ k1 ^ parity] as const;
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  for (let round = 0; round < 20; round++) {
    const r = rotations[round & 7]!;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0;
    if ((round & 3) === 3) {
      const s = (round + 1) >> 2;
      x0 = (x0 + schedule[s % 3]!) | 0;
      x1 = (x1 + schedule[(s + 1) % 3]! + s) | 0;
    }
  }
  out[at] = x0;
  out[at + 1] = x1;
}
