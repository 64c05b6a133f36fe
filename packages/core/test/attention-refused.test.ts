/** Attention refuses what does not fit, in words, and leaves no memory behind; so does its gradient op. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  apply,
  attention,
  type AttentionOptions,
  type Backend,
  setBackend,
  type Tensor,
} from '../src';
import { attentionGradOp } from '../src/ops/fused/attention';
import { type Refusal, refusal, refused as refusedRows } from './refusal';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

const good = 'f32[2,3,4,5] f32[2,6,2,5] f32[2,6,2,7]';
const square = 'f32[2,3,4,5] f32[2,3,2,5] f32[2,3,2,7]';

/** Attention with the option that the fourth input is. */
const plain =
  (o: AttentionOptions = {}, fourth?: keyof AttentionOptions) =>
  (...xs: Tensor[]) =>
    attention(xs[0]!, xs[1]!, xs[2]!, fourth === undefined ? o : { ...o, [fourth]: xs[3]! });

/** Of attention alone: its name is left out. */
function refused(name: Parameters<typeof refusedRows>[0], rows: readonly Refusal[]): void {
  refusedRows(
    name,
    rows.map(([inputs, call, message]) => [inputs, call, `attention: ${message}`]),
  );
}

const all = (inputs: string): string =>
  inputs
    .split(' ')
    .slice(0, 3)
    .map((x, i) => `${'qkv'[i]} ${x}`)
    .join(', ');

describe('q, k and v', () => {
  refused('ShapeError', [
    ['f32[3,4,5] f32[2,6,2,5] f32[2,6,2,7]', plain(), 'q is f32[3,4,5], not of rank 4'],
    ['f32[] f32[2,6,2,5] f32[2,6,2,7]', plain(), 'q is f32[], not of rank 4'],
    ['f32[2,3,4,5] f32[] f32[2,6,2,7]', plain(), 'k is f32[], not of rank 4'],
    ['f32[2,3,4,5] f32[2,6,2,5] f32[6,2,7]', plain(), 'v is f32[6,2,7], not of rank 4'],
    ...[
      'f32[2,3,4,5] f32[1,6,2,5] f32[2,6,2,7]', // batch of k
      'f32[2,3,4,5] f32[2,6,2,4] f32[2,6,2,7]', // features of k
      'f32[2,3,4,5] f32[2,6,2,5] f32[1,6,2,7]', // batch of v
      'f32[2,3,4,5] f32[2,6,2,5] f32[2,5,2,7]', // length of v
      'f32[2,3,4,5] f32[2,6,2,5] f32[2,6,4,7]', // heads of v
    ].map(
      (inputs): Refusal => [
        inputs,
        plain(),
        `${all(inputs)}: they are [b, t, h, d], [b, s, hkv, d] and [b, s, hkv, dv]`,
      ],
    ),
    ...(
      [
        ['f32[2,3,4,5] f32[2,6,3,5] f32[2,6,3,7]', 4, 3],
        ['f32[2,3,2,5] f32[2,6,4,5] f32[2,6,4,7]', 2, 4],
        ['f32[2,3,4,5] f32[2,6,0,5] f32[2,6,0,7]', 4, 0],
        ['f32[2,3,0,5] f32[2,6,0,5] f32[2,6,0,7]', 0, 0],
      ] as const
    ).map(
      ([inputs, h, hkv]): Refusal => [
        inputs,
        plain(),
        `${all(inputs)}: ${h} heads are no multiple of ${hkv} key-value heads`,
      ],
    ),
  ]);
  const int = (what: string): string =>
    `${what} is not floating point: convert it with .cast('f32')`;
  refused('DTypeError', [
    ['i32[2,3,4,5] f32[2,6,2,5] f32[2,6,2,7]', plain(), int('i32[2,3,4,5]')],
    ['f32[2,3,4,5] i32[2,6,2,5] f32[2,6,2,7]', plain(), int('i32[2,6,2,5]')],
    ['f32[2,3,4,5] f32[2,6,2,5] bool[2,6,2,7]', plain(), int('bool[2,6,2,7]')],
    [
      'f32[2,3,4,5] f32[2,6,2,5] f64[2,6,2,7]',
      plain(),
      "dtypes differ: f32[2,3,4,5], f32[2,6,2,5], f64[2,6,2,7]: convert one with .cast('f32')",
    ],
  ]);
});

describe('options', () => {
  refused('ValueError', [
    ...[-1, 1.5, NaN, Infinity].map(
      (window): Refusal => [
        good,
        plain({ window }),
        `window ${window} is not an integer from 0 to 2147483647`,
      ],
    ),
    ...[0.5, NaN, Infinity].map(
      (qOffset): Refusal => [
        good,
        plain({ qOffset }),
        `qOffset ${qOffset} is not an integer from -2147483648 to 2147483647`,
      ],
    ),
    ...[NaN, Infinity, -Infinity].map(
      (scale): Refusal => [
        good,
        plain({ scale }),
        `scale ${scale} is not a finite number from -Infinity to Infinity`,
      ],
    ),
  ]);
  refused('ShapeError', [
    ...['bool[3,5]', 'bool[3,1,6]', 'bool[1,2,4,3,6]', 'bool[7,6]', 'bool[1,1,1,1,6]'].map(
      (m): Refusal => [
        `${good} ${m}`,
        plain({}, 'mask'),
        `mask ${m} does not broadcast to [2,4,3,6]`,
      ],
    ),
    [`${good} f32[2,3,6]`, plain({}, 'bias'), 'bias f32[2,3,6] does not broadcast to [2,4,3,6]'],
    // wider than the scores: they would broadcast to it
    [
      'f32[1,3,4,5] f32[1,6,2,5] f32[1,6,2,7] f32[2,4,3,6]',
      plain({}, 'bias'),
      'bias f32[2,4,3,6] does not broadcast to [1,4,3,6]',
    ],
    [`${square} i32[3]`, plain({}, 'segments'), 'segments is i32[3], not [2,3]'],
    [`${good} i32[2,3]`, plain({}, 'segments'), 'segments is i32[2,3], not [2,6]'],
    [
      `${good} i32[2,6]`,
      plain({}, 'segments'),
      `${all(good)}: segments need as many queries as keys`,
    ],
    [`${good} i32[3]`, plain({}, 'lengths'), 'lengths is i32[3], not [2]'],
    [`${good} i32[2,1]`, plain({}, 'lengths'), 'lengths is i32[2,1], not [2]'],
  ]);
  refused('DTypeError', [
    [
      `${good} f32[3,6]`,
      plain({}, 'mask'),
      "mask is f32[3,6], not bool: convert it with .cast('bool')",
    ],
    [
      `${good} f64[3,6]`,
      plain({}, 'bias'),
      "bias is f64[3,6], not f32: convert it with .cast('f32')",
    ],
    [
      `${square} f32[2,3]`,
      plain({}, 'segments'),
      "segments is f32[2,3], not i32: convert it with .cast('i32')",
    ],
    [
      `${good} f32[2]`,
      plain({}, 'lengths'),
      "lengths is f32[2], not i32: convert it with .cast('i32')",
    ],
  ]);
});

describe('a refusal', () => {
  it.each([
    ['f32[2,3,4,5] f32[1,6,2,5] f32[2,6,2,7]', plain(), ['2,3,4,5', '1,6,2,5', '2,6,2,7']],
    ['f32[2,3,4,5] f32[2,6,3,5] f32[2,6,3,7]', plain(), ['2,3,4,5', '2,6,3,5']],
    [`${good} bool[3,5]`, plain({}, 'mask'), ['3,5']],
    [`${good} i32[2,6]`, plain({}, 'segments'), ['2,3,4,5', '2,6,2,5']],
  ] as const)('of %s names the shapes in question', (inputs, call, want) => {
    const { shapes } = refusal(backend, inputs, call);
    expect((shapes as number[][]).map(String)).toEqual(want);
  });

  it('of the gradient op names the gradient op', () => {
    const has = { mask: false, bias: false, segments: false, lengths: false };
    const attrs = { causal: false, window: 0, scale: 1, qOffset: 0, has };
    const rest = 'f32[2,3,4,7] f32[2,4,3] f32[2,3,4,7]';
    const wrong = 'f32[2,3,4,5] f32[2,6,3,5] f32[2,6,3,7]';
    const call = (...xs: Tensor[]) => apply(attentionGradOp, xs, attrs);
    expect(refusal(backend, `${wrong} ${rest}`, call)).toMatchObject({
      op: 'attentionGrad',
      message: `attentionGrad: ${all(wrong)}: 4 heads are no multiple of 3 key-value heads`,
    });
  });

  it('comes before anything is allocated', () => {
    const before = backend.memory().peakBytes;
    expect(before).toBe(0);
    refusal(backend, good, plain({ window: -1 }));
    const inputs = 4 * (2 * 3 * 4 * 5 + 2 * 6 * 2 * 5 + 2 * 6 * 2 * 7);
    expect(backend.memory().peakBytes).toBe(inputs);
  });
});
