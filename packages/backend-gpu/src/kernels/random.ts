/**
 * Random bits and their remainder: 32-bit integers, which no array of a GPU mode holds. Both are calculated on the host,
 * from keys that the host knows, and what fits f32 is uploaded: `uniform` and all that is drawn from it run.
 */
import { BackendError, type Kernel, type Kernels, ValueError, type View } from '@loretta-ts/core';
import type { Context } from '../launch';
import { threefry2x32 } from '../threefry';

function onHost(context: Context, op: string, view: View): Int32Array {
  const values = context.memory.integers(view);
  if (values !== null) return values;
  throw new BackendError(
    'gpu',
    `${op}: an integer input was calculated on the device, and this op runs on the host: ` +
      'upload it (a Key, or tensor(...)), or use a CPU backend',
  );
}

/** Threefry-2x32-20 on the host: the bits of every backend. */
export function randomKernels(context: Context): Pick<Kernels, 'randomBits'> {
  return {
    randomBits: ([key], [out], { stream }) => {
      const k = onHost(context, 'randomBits', key!);
      const { size } = out!;
      if (size === 0) return;
      const words = new Int32Array(size + (size % 2));
      for (let i = 0; i < size; i += 2) threefry2x32(k[0]!, k[1]!, i / 2, stream, words, i);
      context.memory.storeIntegers(out!.buffer, out!.offset, words.slice(0, size));
    },
  };
}

/** `remainder` by the given kernel, but for integers beyond f32: these are on the host, as is their remainder by a scalar. */
export function remainderOfWords(
  context: Context,
  kernel: Kernel<'remainder'>,
): Kernel<'remainder'> {
  return (ins, [out], attrs) => {
    const [a, b] = ins as readonly [View, View];
    if (a.dtype !== 'i32' || !(context.memory.hasWords(a) || context.memory.hasWords(b))) {
      kernel(ins, [out!], attrs);
      return;
    }
    if (b.size !== 1 || a.size !== out!.size) {
      throw new BackendError(
        'gpu',
        'remainder: of integers beyond f32 only that by a scalar is here: use a CPU backend',
      );
    }
    const divisor = onHost(context, 'remainder', b)[0]!;
    if (divisor === 0) {
      throw new ValueError('remainder', 'i32 divisor is 0: cast to a float or mask the zeros');
    }
    const values = onHost(context, 'remainder', a).map((x) => {
      const r = x % divisor;
      return r !== 0 && r < 0 !== divisor < 0 ? r + divisor : r;
    });
    context.memory.storeIntegers(out!.buffer, out!.offset, values);
  };
}
