/** Rotary layouts: Meta's pairs are neighbours, Hugging Face's are half a head apart. */
import type { HostTensor } from '../host';

/**
 * `[heads · headDim, …]`, the rows of queries or keys: row 2k + i of a head becomes row k + i · headDim / 2. Scores
 * are the same, since queries and keys change alike.
 */
export function halvesFromPairs({ dtype, shape, data }: HostTensor, headDim: number): HostTensor {
  const rows = shape[0]!;
  const width = data.length / rows;
  const out = data.slice();
  const half = headDim / 2;
  for (let r = 0; r < rows; r++) {
    const at = r % headDim;
    const from = r - at + 2 * (at % half) + (at < half ? 0 : 1);
    for (let j = 0; j < width; j++) out[r * width + j] = data[from * width + j]!;
  }
  return { dtype, shape, data: out };
}
