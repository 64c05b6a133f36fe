/** Weights in the element type of a file. */
import { CheckpointError } from '../errors';
import type { FileDType, HostTensor } from '../host';

/** Element types that weights can be saved in. */
export type SaveDType = 'f64' | 'f32' | 'f16' | 'bf16';

/** How PyTorch, the format and overflow go with each. */
export const SAVE_DTYPES: Readonly<
  Record<SaveDType, { readonly torch: string; readonly file: FileDType; readonly bytes: number }>
> = {
  f64: { torch: 'float64', file: 'F64', bytes: 8 },
  f32: { torch: 'float32', file: 'F32', bytes: 4 },
  f16: { torch: 'float16', file: 'F16', bytes: 2 },
  bf16: { torch: 'bfloat16', file: 'BF16', bytes: 2 },
};

/** The least magnitude that rounds to infinity. */
const OVERFLOW: Readonly<Record<SaveDType, number>> = {
  f64: Number.POSITIVE_INFINITY,
  f32: 2 ** 128 - 2 ** 103,
  f16: 65520,
  bf16: 2 ** 128 - 2 ** 119,
};

/** @throws CheckpointError when a finite value would become infinite */
export function inFileDType(name: string, t: HostTensor, dtype: SaveDType): HostTensor {
  const limit = OVERFLOW[dtype];
  const data = t.data as Float32Array | Float64Array;
  for (const x of data) {
    // as it is rounded: to 32 bits first, and from there to 16
    const rounded = dtype === 'f64' ? x : Math.fround(x);
    if (Math.abs(rounded) < limit || !Number.isFinite(x)) continue;
    const larger = dtype === 'f16' ? 'bf16, f32 or f64' : 'f64';
    throw new CheckpointError(`${name} holds ${x}, too large for ${dtype}: save in ${larger}`);
  }
  const { file } = SAVE_DTYPES[dtype];
  if (dtype === 'f64') return { ...t, dtype: file, data: Float64Array.from(data) };
  // 16-bit types are rounded where the file is written
  return { ...t, dtype: file, data: data instanceof Float32Array ? data : Float32Array.from(data) };
}
