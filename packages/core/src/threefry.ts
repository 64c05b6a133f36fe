/** Threefry-2x32-20, the counter-based generator of Salmon et al. 2011 (Random123). */

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

/** Two words from a key and a counter, all unsigned 32-bit. */
export function threefry2x32(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const ks = [k0 | 0, k1 | 0, PARITY ^ k0 ^ k1] as const;
  let x0 = (c0 + ks[0]) | 0;
  let x1 = (c1 + ks[1]) | 0;
  for (let group = 0; group < 5; group++) {
    for (let i = 0; i < 4; i++) {
      const r = ROTATIONS[(group % 2) * 4 + i]!;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0;
    }
    x0 = (x0 + ks[(group + 1) % 3]!) | 0;
    x1 = (x1 + ks[(group + 2) % 3]! + group + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}
