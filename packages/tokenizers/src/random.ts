/**
 * A counter-based generator: draw n is a hash of (seed, n), so a run is reproduced by its seed alone.
 * The mixer is the 32-bit finaliser of MurmurHash3, applied twice; good enough to choose starting points.
 */
export class CounterRandom {
  readonly #seed: number;
  #counter = 0;

  constructor(seed: number) {
    this.#seed = mix((seed | 0) ^ 0x9e3779b9);
  }

  /** The next integer in `[0, 2³²)`. */
  uint32(): number {
    this.#counter = (this.#counter + 1) | 0;
    return mix(mix(Math.imul(this.#counter, 0x9e3779b1) ^ this.#seed) + this.#seed) >>> 0;
  }

  /** The next number in `[0, 1)`, 32 random bits. */
  uniform(): number {
    return this.uint32() / 4294967296;
  }

  /** The next integer in `[0, n)`. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }
}

function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** `count` distinct integers below `n` in increasing order (selection sampling, Knuth 3.4.2 S). */
export function sampleIndices(random: CounterRandom, n: number, count: number): Int32Array {
  const chosen = new Int32Array(Math.min(n, count));
  let taken = 0;
  for (let i = 0; i < n && taken < chosen.length; i++) {
    if (random.uniform() * (n - i) < chosen.length - taken) chosen[taken++] = i;
  }
  return chosen;
}
