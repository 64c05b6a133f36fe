/** What tokens keep of a sample: reconstructions, their error, and how the codes are used. */

/** One tokenizer's reconstructions of a set of samples. */
export interface Reconstructed {
  /** In words: `vq`, `k-means`. */
  readonly name: string;
  /** `[n, rows, columns]`, in the units of the originals. */
  readonly pictures: Float32Array;
  /** Mean squared error, in the units that `Comparison.units` names. */
  readonly error: number;
  /** exp of the entropy of the codes, from 1 to their number. */
  readonly perplexity: number;
  /** Codes that occur. */
  readonly used: number;
  /** Number of codes. */
  readonly codes: number;
  /** Tokens of a sample. */
  readonly tokens: number;
}

/** Samples beside what tokenizers make of them. */
export interface Comparison {
  /** Rows and columns of a picture. */
  readonly shape: readonly [rows: number, columns: number];
  /** `[n, rows, columns]`. */
  readonly originals: Float32Array;
  /** Numbers that are black and white in a picture. */
  readonly range: readonly [low: number, high: number];
  /** What an error is counted in. */
  readonly units: string;
  /** The learned tokenizer first. */
  readonly made: readonly Reconstructed[];
}

/** What a tokenizer is compared by. */
export interface Coder<T> {
  readonly name: string;
  readonly codes: number;
  readonly tokens: number;
  /** `[n, tokens]`. */
  encodeAll(xs: readonly T[]): Int32Array;
  /** The values of `[n, tokens]`. */
  decodeAll(ids: Int32Array): readonly T[];
}

/** How values of a kind become pictures. */
export interface Canvas<T> {
  readonly shape: readonly [rows: number, columns: number];
  readonly range: readonly [low: number, high: number];
  readonly units: string;
  /** `[rows, columns]`. */
  draw(x: T): Float32Array;
  /** Divides a difference in row `row` of a picture, to be in the units of the error. */
  unit(row: number): number;
}

/** Runs samples through tokenizers. */
export function compare<T>(
  xs: readonly T[],
  canvas: Canvas<T>,
  coders: readonly Coder<T>[],
): Comparison {
  const { shape, range, units } = canvas;
  const drawAll = (list: readonly T[]): Float32Array => {
    const size = shape[0] * shape[1];
    const all = new Float32Array(list.length * size);
    list.forEach((x, i) => {
      all.set(canvas.draw(x), i * size);
    });
    return all;
  };
  const originals = drawAll(xs);
  const made = coders.map((coder): Reconstructed => {
    const ids = coder.encodeAll(xs);
    const pictures = drawAll(coder.decodeAll(ids));
    const { name, codes, tokens } = coder;
    const error = meanSquare(originals, pictures, shape, canvas);
    return { name, codes, tokens, pictures, error, ...codeUse(ids, codes) };
  });
  return { shape, originals, range, units, made };
}

/** How many codes occur among ids, and the exp of their entropy. */
function codeUse(ids: Int32Array, codes: number): { used: number; perplexity: number } {
  const counts = new Float64Array(codes);
  for (const id of ids) counts[id]!++;
  let entropy = 0;
  let used = 0;
  for (const n of counts) {
    if (n === 0) continue;
    used++;
    entropy -= (n / ids.length) * Math.log(n / ids.length);
  }
  return { used, perplexity: Math.exp(entropy) };
}

function meanSquare<T>(
  a: Float32Array,
  b: Float32Array,
  [rows, columns]: Comparison['shape'],
  canvas: Canvas<T>,
): number {
  const units = Array.from({ length: rows }, (_, row) => canvas.unit(row));
  let sum = 0;
  for (let i = 0; i < a.length; i++)
    sum += ((a[i]! - b[i]!) / units[Math.floor(i / columns) % rows]!) ** 2;
  return sum / a.length;
}
