/** Threefry-2x32 with 20 rounds: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011). */

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

type Words = readonly [number, number];

/** Two random words of a key and a counter. */
export function threefry(key: Words, counter: Words): Words {
  const words = [...key, 0x1bd11bda ^ key[0] ^ key[1]];
  let x = (counter[0] + words[0]!) | 0;
  let y = (counter[1] + words[1]!) | 0;
  for (let group = 0; group < 5; group++) {
    for (const bits of ROTATIONS[group % 2]!) {
      x = (x + y) | 0;
      y = ((y << bits) | (y >>> (32 - bits))) ^ x;
    }
    x = (x + words[(group + 1) % 3]!) | 0;
    y = (y + words[(group + 2) % 3]! + group + 1) | 0;
  }
  return [x, y];
}
