/**
 * Where the folder's README lets a framework define 0 instead of PyTorch's NaN (cases tagged `special`), and this one
 * does: softmax over a row that is masked altogether, and a mean loss over no rows.
 */
import { type Case, type Entry, parseNumber } from './format';
import type { Vector } from './safetensors';
import type { Exception } from './verdict';

/** The exception for a case, or none. `values` reads its inputs. */
export function documentedZero(c: Case, values: (e: Entry) => Vector): Exception | undefined {
  if (!c.tags.includes('special')) return undefined;
  const input = (name: string): Vector | null => {
    const entry = c.inputs.find((e) => e.name === name);
    return entry === undefined ? null : values(entry);
  };
  const isZero: Exception = (_, got, want) => got === 0 && Number.isNaN(want);
  if (c.op === 'softmax') {
    const masked = maskedRows(input('x')!, parseNumber(c.attrs['dim']));
    return (i, got, want) => masked[i] === 1 && isZero(i, got, want);
  }
  const target = input('target');
  if (['cross_entropy', 'nll_loss'].includes(c.op) && target !== null) {
    const ignored = parseNumber(c.attrs['ignore_index'] ?? -100);
    return target.data.every((id) => id === ignored) ? isZero : undefined;
  }
  return undefined;
}

/** 1 for elements whose whole row along `dim` is -inf. */
function maskedRows({ shape, data }: Vector, dim: number): Uint8Array {
  const axis = dim < 0 ? dim + shape.length : dim;
  const n = shape[axis]!;
  const stride = shape.slice(axis + 1).reduce((m, d) => m * d, 1);
  return Uint8Array.from(data, (_, i) => {
    const first = i - (Math.floor(i / stride) % n) * stride;
    return Array.from({ length: n }, (__, k) => data[first + k * stride]).every(
      (x) => x === -Infinity,
    )
      ? 1
      : 0;
  });
}
