/** Convolutions, patches and pools refuse what does not fit, in words, and leave no memory behind. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  avgPool2d,
  type Backend,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  fold,
  maxPool2d,
  setBackend,
  unfold,
  upsampleNearest2d,
  zeros,
} from '../src';
import { type Refusal, refusal, refused } from './refusal';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

describe('ranks', () => {
  refused('ShapeError', [
    ['f32[1,4,4]', (x) => unfold(x!, 2), 'unfold: the input is f32[1,4,4], not of rank 4'],
    ['f32[4,1]', (x) => fold(x!, 2, 2), 'fold: the input is f32[4,1], not of rank 3'],
    [
      'f32[1,2,3] f32[1,2,3,3]',
      (x, w) => conv2d(x!, w!),
      'conv2d: the input is f32[1,2,3], not of rank 4',
    ],
    [
      'f32[1,2,3,3] f32[1,2,3]',
      (x, w) => conv2d(x!, w!),
      'conv2d: the weight is f32[1,2,3], not of rank 4',
    ],
    [
      'f32[1,2,3] f32[1,2,3,3]',
      (x, w) => convTranspose2d(x!, w!),
      'convTranspose2d: the input is f32[1,2,3], not of rank 4',
    ],
    [
      'f32[1,2,3,3] f32[2]',
      (x, w) => convTranspose2d(x!, w!),
      'convTranspose2d: the weight is f32[2], not of rank 4',
    ],
    [
      'f32[2,3] f32[1,2,3]',
      (x, w) => conv1d(x!, w!),
      'conv1d: the input is f32[2,3], not of rank 3',
    ],
    [
      'f32[1,2,3] f32[1,2,3,3]',
      (x, w) => conv1d(x!, w!),
      'conv1d: the weight is f32[1,2,3,3], not of rank 3',
    ],
    [
      'f32[2,3] f32[2,1,3]',
      (x, w) => convTranspose1d(x!, w!),
      'convTranspose1d: the input is f32[2,3], not of rank 3',
    ],
    [
      'f32[1,2,3] f32[2,3]',
      (x, w) => convTranspose1d(x!, w!),
      'convTranspose1d: the weight is f32[2,3], not of rank 3',
    ],
    ['f32[4,4]', (x) => maxPool2d(x!, 2), 'maxPool2d: the input is f32[4,4], not of rank 4'],
    ['f32[1,4,4]', (x) => avgPool2d(x!, 2), 'avgPool2d: the input is f32[1,4,4], not of rank 4'],
    [
      'f32[4,4]',
      (x) => upsampleNearest2d(x!, 2),
      'upsampleNearest2d: the input is f32[4,4], not of rank 4',
    ],
  ]);
});

describe('windows', () => {
  const words = (op: string, k: string, s: string, d: string, p: string): string =>
    `${op}: kernel [${k}], stride [${s}] and dilation [${d}] are integers from 1, padding [${p}] from 0`;
  const image = 'f32[1,1,4,4]';
  const columns = 'f32[1,4,9]';
  const both = 'f32[1,1,4,4] f32[1,1,2,2]';
  refused('ValueError', [
    [image, (x) => unfold(x!, 0), words('unfold', '0,0', '1,1', '1,1', '0,0')],
    [image, (x) => unfold(x!, [2, 0]), words('unfold', '2,0', '1,1', '1,1', '0,0')],
    [image, (x) => unfold(x!, [1.5, 2]), words('unfold', '1.5,2', '1,1', '1,1', '0,0')],
    [image, (x) => unfold(x!, 2, { stride: 0 }), words('unfold', '2,2', '0,0', '1,1', '0,0')],
    [
      image,
      (x) => unfold(x!, 2, { stride: [1, 0.5] }),
      words('unfold', '2,2', '1,0.5', '1,1', '0,0'),
    ],
    [
      image,
      (x) => unfold(x!, 2, { dilation: [0, 1] }),
      words('unfold', '2,2', '1,1', '0,1', '0,0'),
    ],
    [image, (x) => unfold(x!, 2, { dilation: -1 }), words('unfold', '2,2', '1,1', '-1,-1', '0,0')],
    [image, (x) => unfold(x!, 2, { padding: -1 }), words('unfold', '2,2', '1,1', '1,1', '-1,-1')],
    [
      image,
      (x) => unfold(x!, 2, { padding: [0, 0.5] }),
      words('unfold', '2,2', '1,1', '1,1', '0,0.5'),
    ],
    [columns, (x) => fold(x!, 4, 0), words('fold', '0,0', '1,1', '1,1', '0,0')],
    [columns, (x) => fold(x!, 4, 2, { stride: [0, 1] }), words('fold', '2,2', '0,1', '1,1', '0,0')],
    [
      both,
      (x, w) => conv2d(x!, w!, null, { stride: 0 }),
      words('conv2d', '2,2', '0,0', '1,1', '0,0'),
    ],
    [
      both,
      (x, w) => convTranspose2d(x!, w!, null, { stride: 0.5 }),
      words('convTranspose2d', '2,2', '0.5,0.5', '1,1', '0,0'),
    ],
    [
      both,
      (x, w) => convTranspose2d(x!, w!, null, { padding: [0, -1] }),
      words('convTranspose2d', '2,2', '1,1', '1,1', '0,-1'),
    ],
    [
      'f32[1,1,0,4] f32[1,1,0,2]',
      (x, w) => convTranspose2d(x!, w!),
      words('convTranspose2d', '0,2', '1,1', '1,1', '0,0'),
    ],
    [image, (x) => maxPool2d(x!, 0), words('maxPool2d', '0,0', '0,0', '1,1', '0,0')],
    [
      image,
      (x) => avgPool2d(x!, 2, { stride: [1, 0] }),
      words('avgPool2d', '2,2', '1,0', '1,1', '0,0'),
    ],
    [
      image,
      (x) => maxPool2d(x!, 2, { padding: -1 }),
      words('maxPool2d', '2,2', '2,2', '1,1', '-1,-1'),
    ],
    [
      image,
      (x) => maxPool2d(x!, 2, { padding: [1, 2] }),
      'maxPool2d: padding 2 is not an integer from 0 to 1',
    ],
    [
      image,
      (x) => avgPool2d(x!, [3, 2], { padding: [2, 1] }),
      'avgPool2d: padding 2 is not an integer from 0 to 1',
    ],
    [
      'f32[1,3,5] f32[4,3,2]',
      (x, w) => conv1d(x!, w!, null, { stride: 0 }),
      words('conv1d', '1,2', '1,0', '1,1', '0,0'),
    ],
    [
      'f32[1,3,5] f32[3,4,2]',
      (x, w) => convTranspose1d(x!, w!, null, { dilation: 0 }),
      words('convTranspose1d', '1,2', '1,1', '1,0', '0,0'),
    ],
  ]);
});

describe('sizes', () => {
  refused('ShapeError', [
    [
      'f32[1,2,3,4]',
      (x) => unfold(x!, [4, 1]),
      'unfold: a window of [4,1] does not fit f32[1,2,3,4] with padding [0,0]',
    ],
    [
      'f32[1,2,3,4]',
      (x) => unfold(x!, [1, 7], { padding: [0, 1] }),
      'unfold: a window of [1,7] does not fit f32[1,2,3,4] with padding [0,1]',
    ],
    [
      'f32[1,2,3,4]',
      (x) => unfold(x!, 2, { dilation: 3 }),
      'unfold: a window of [2,2] does not fit f32[1,2,3,4] with padding [0,0]',
    ],
    ...(
      [
        ['f32[1,5,9]', 4, 2, '[4,4] with a window of [2,2]'], // no multiple of the window
        ['f32[1,4,8]', 4, 2, '[4,4] with a window of [2,2]'], // too few positions
        ['f32[1,4,10]', 4, 2, '[4,4] with a window of [2,2]'], // too many
        ['f32[1,4,0]', [1, 4], 2, '[1,4] with a window of [2,2]'], // none along the first axis
        ['f32[1,4,0]', [4, 1], 2, '[4,1] with a window of [2,2]'], // none along the second
        ['f32[1,16,1]', 2, 4, '[2,2] with a window of [4,4]'], // -1 by -1 of them
      ] as const
    ).map(
      ([inputs, size, kernel, what]): Refusal => [
        inputs,
        (x) => fold(x!, size, kernel),
        `fold: ${inputs} does not fold to ${what}`,
      ],
    ),
    [
      'f32[1,1,2,2]',
      (x) => maxPool2d(x!, 3),
      'maxPool2d: a window of [3,3] does not fit f32[1,1,2,2] with padding [0,0]',
    ],
  ]);

  it.each([
    [4.5, '4.5,4.5'],
    [[4, 4.5], '4,4.5'],
    [NaN, 'NaN,NaN'],
    [Infinity, 'Infinity,Infinity'],
  ] as const)('patches fold to a plane of whole sizes only, not to %j', (size, shown) => {
    const message = `fold: f32[1,4,9] does not fold to [${shown}] with a window of [2,2]`;
    const got = refusal(backend, 'f32[1,4,9]', (x) => fold(x!, size, 2));
    expect(got).toMatchObject({ name: 'ShapeError', message });
  });

  it.each([
    [{ padding: 3 }, '-3,-3'],
    [{ padding: [0, 2] }, '3,-1'],
    [{ stride: 2, outputPadding: 0.5 }, '4.5,4.5'],
    [{ stride: 2, outputPadding: -1 }, '3,3'],
    [{ stride: 2, outputPadding: 2 }, '6,6'],
  ] as const)('convTranspose2d with %j gives no tensor of impossible sizes', (o, shown) => {
    const got = refusal(backend, 'f32[1,1,2,2] f32[1,1,2,2]', (x, w) =>
      convTranspose2d(x!, w!, null, o),
    );
    const message = `fold: f32[1,4,4] does not fold to [${shown}] with a window of [2,2]`;
    expect(got).toMatchObject({ name: 'ShapeError', op: 'fold', message, shapes: [[1, 4, 4]] });
  });

  it('a plane without rows is one: padding that leaves nothing folds to nothing', () => {
    const x = zeros([1, 1, 2, 2]);
    const y = convTranspose2d(x, zeros([1, 1, 1, 1]), null, { padding: [1, 0] });
    expect(y.shape).toEqual([1, 1, 0, 2]);
    expect(unfold(y, 1, { padding: [1, 0] }).shape).toEqual([1, 1, 4]);
  });
});

describe('channels', () => {
  const differ = (op: string, x: string, w: string, groups: number): string =>
    `${op}: input ${x}, weight ${w}, ${groups} groups: channels differ`;
  const forward = ([x, w, groups]: readonly [string, string, number]): Refusal => [
    `${x} ${w}`,
    (a, b) => conv2d(a!, b!, null, { groups }),
    differ('conv2d', x, w, groups),
  ];
  const back = ([x, w, groups]: readonly [string, string, number]): Refusal => [
    `${x} ${w}`,
    (a, b) => convTranspose2d(a!, b!, null, { groups }),
    differ('convTranspose2d', x, w, groups),
  ];
  refused('ShapeError', [
    ...(
      [
        ['f32[1,4,3,3]', 'f32[2,3,1,1]', 1],
        ['f32[1,4,3,3]', 'f32[2,4,1,1]', 2],
        ['f32[1,4,3,3]', 'f32[3,2,1,1]', 2], // 3 outputs in 2 groups
        ['f32[1,4,3,3]', 'f32[2,4,1,1]', 0],
        ['f32[1,0,3,3]', 'f32[2,4,1,1]', 0],
        ['f32[1,4,3,3]', 'f32[2,4,1,1]', -1],
        ['f32[1,2,3,3]', 'f32[2,4,1,1]', 0.5],
      ] as const
    ).map(forward),
    ...(
      [
        ['f32[1,4,3,3]', 'f32[3,2,1,1]', 1],
        ['f32[1,3,3,3]', 'f32[3,2,1,1]', 2],
        ['f32[1,4,3,3]', 'f32[4,2,1,1]', 0],
        ['f32[1,4,3,3]', 'f32[4,2,1,1]', -1],
        ['f32[1,4,3,3]', 'f32[4,2,1,1]', 0.5],
      ] as const
    ).map(back),
    [
      'f32[1,3,5] f32[4,2,3]',
      (x, w) => conv1d(x!, w!),
      differ('conv1d', 'f32[1,3,5]', 'f32[4,2,3]', 1),
    ],
    [
      'f32[1,3,5] f32[4,2,3]',
      (x, w) => convTranspose1d(x!, w!),
      differ('convTranspose1d', 'f32[1,3,5]', 'f32[4,2,3]', 1),
    ],
    [
      'f32[1,4,3,3] f32[2,4,1,1] f32[4]',
      (x, w, b) => conv2d(x!, w!, b!),
      'conv2d: bias is f32[4], not [2]',
    ],
    [
      'f32[1,4,3,3] f32[2,4,1,1] f32[2,1]',
      (x, w, b) => conv2d(x!, w!, b!),
      'conv2d: bias is f32[2,1], not [2]',
    ],
    [
      'f32[1,4,3,3] f32[1,4,1,1] f32[]',
      (x, w, b) => conv2d(x!, w!, b!),
      'conv2d: bias is f32[], not [1]',
    ],
    [
      'f32[1,4,3,3] f32[4,3,1,1] f32[3]',
      (x, w, b) => convTranspose2d(x!, w!, b!, { groups: 2 }),
      'convTranspose2d: bias is f32[3], not [6]',
    ],
  ]);

  it('come with the shapes in question', () => {
    const fields = (inputs: string) =>
      refusal(backend, inputs, (x, w, b) => conv2d(x!, w!, b ?? null))['shapes'];
    expect(fields('f32[1,4,3,3] f32[2,3,1,1]')).toEqual([
      [1, 4, 3, 3],
      [2, 3, 1, 1],
    ]);
    expect(fields('f32[1,4,3,3] f32[2,4,1,1] f32[4]')).toEqual([[4]]);
    const unfit = refusal(backend, 'f32[1,2,3,4]', (x) => unfold(x!, 5));
    expect(unfit['shapes']).toEqual([[1, 2, 3, 4]]);
  });
});
