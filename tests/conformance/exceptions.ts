/**
 * Where the folder's README lets a framework define 0 instead of PyTorch's NaN (cases tagged `special`), and this one
 * does: softmax over a row that is masked altogether, and a mean loss over no rows.
 */
import { type Case, type Entry, parseNumber } from './format';
import type { Vector } from './safetensors';
import type { Exception } from './verdict';

/** The smallest normal f32. */
const NORMAL = 2 ** -126;

const subnormal = (x: number): boolean => x !== 0 && Math.abs(x) < NORMAL;

/** What a GPU may do otherwise, on single elements of elementwise ops: the whole list, with reasons. */
const DEVICE_LIMITS: readonly {
  readonly reason: string;
  readonly applies: (op: string, x: number, want: number) => boolean;
}[] = [
  {
    reason: 'numbers below 2^-126 count as 0 on the device (GLSL and WGSL allow it)',
    applies: (_, x, want) => subnormal(x) || subnormal(want),
  },
  {
    reason: 'sin and cos beyond 65,536 are reduced by the device, in f32',
    applies: (op, x) => (op === 'sin' || op === 'cos') && Math.abs(x) > 65536,
  },
];

/** The exception for elements of a case that a GPU cannot represent; `note` is told each reason that was needed. */
export function deviceException(
  c: Case,
  values: (e: Entry) => Vector,
  note: (reason: string) => void,
): Exception | undefined {
  const [entry] = c.inputs;
  if (!c.tags.includes('special') || c.inputs.length !== 1 || entry === undefined) return undefined;
  const { data } = values(entry);
  return (i, _, want) => {
    const limit = DEVICE_LIMITS.find(({ applies }) => applies(c.op, data[i] ?? 0, want));
    if (limit !== undefined) note(limit.reason);
    return limit !== undefined;
  };
}

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
