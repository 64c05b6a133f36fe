/** The safetensors format to the letter: the layout that is written, and what is said of each defect. */
import { describe, expect, it } from 'vitest';
import { inFileDType } from '../src/files/file-dtype';
import { headerLength, parseSafetensorsHeader } from '../src/files/safetensors';
import {
  CheckpointError,
  type FileDType,
  type HostTensor,
  parseSafetensors,
  SafetensorsError,
  serializeSafetensors,
} from '../src/index';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const words = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A file of a header as it stands, and so many zeros of data. */
function file(header: string | Uint8Array, data = 0, claimed?: bigint): Uint8Array {
  const text = typeof header === 'string' ? utf8(header) : header;
  const out = new Uint8Array(8 + text.length + data);
  new DataView(out.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  out.set(text, 8);
  return out;
}

const entry = (dtype: string, shape: string, offsets: string): string =>
  `{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${offsets}]}`;
const good = entry('F32', '1', '0,4');

const TYPES: readonly (readonly [FileDType, HostTensor['data']])[] = [
  ['F64', Float64Array.of(1.5, -2)],
  ['I64', BigInt64Array.of(-1n, 2n ** 62n)],
  ['U64', BigUint64Array.of(1n, 2n ** 63n)],
  ['F32', Float32Array.of(1.5, -2)],
  ['I32', Int32Array.of(-1, 2 ** 30)],
  ['U32', Uint32Array.of(1, 2 ** 31)],
  ['F16', Float32Array.of(1.5, -2)],
  ['BF16', Float32Array.of(1.5, -2)],
  ['I16', Int16Array.of(-1, 2 ** 14)],
  ['U16', Uint16Array.of(1, 2 ** 15)],
  ['I8', Int8Array.of(-1, 127)],
  ['U8', Uint8Array.of(1, 255)],
  ['BOOL', Uint8Array.of(0, 1)],
];

describe('what is written', () => {
  it.each(TYPES)('%s comes back, in its own array', (dtype, data) => {
    const bytes = serializeSafetensors(new Map([['x', { dtype, shape: [2], data }]]));
    expect(parseSafetensors(bytes).tensors.get('x')).toEqual({ dtype, shape: [2], data });
  });

  it('goes by element size, then name, whatever the order given', () => {
    const of = (dtype: FileDType): HostTensor => {
      const data = TYPES.find(([name]) => name === dtype)![1];
      return { dtype, shape: [2], data };
    };
    const named: [string, HostTensor][] = [
      ['a', of('U8')],
      ['z', of('F64')],
      ['m', of('F16')],
      ['b', of('F64')],
      ['c', of('U8')],
      ['k', of('F32')],
    ];
    for (const order of [named, [...named].reverse()]) {
      const bytes = serializeSafetensors(new Map(order));
      const { tensors } = parseSafetensors(bytes);
      expect([...tensors.keys()]).toEqual(['b', 'z', 'k', 'm', 'a', 'c']);
    }
  });

  it('has metadata only where there are any, and the data on a multiple of eight', () => {
    const one: HostTensor = { dtype: 'U8', shape: [1], data: Uint8Array.of(7) };
    const bare = serializeSafetensors(new Map([['x', one]]));
    const length = Number(new DataView(bare.buffer).getBigUint64(0, true));
    expect(length).toBe(8 * Math.ceil(words(bare.subarray(8, 8 + length)).trimEnd().length / 8));
    expect(words(bare.subarray(8, 8 + length)).trimEnd()).toBe(`{"x":${entry('U8', '1', '0,1')}}`);
    expect(bare.at(-1)).toBe(7);
    const noted = serializeSafetensors(new Map([['x', one]]), { b: '2', a: '1' });
    expect(words(noted)).toContain('{"__metadata__":{"b":"2","a":"1"},"x"');
    expect([...parseSafetensors(noted).metadata]).toEqual([
      ['b', '2'],
      ['a', '1'],
    ]);
  });

  it('is refused where the format cannot hold it', () => {
    const one: HostTensor = { dtype: 'U8', shape: [1], data: Uint8Array.of(7) };
    const numbers = { step: 1 } as unknown as Record<string, string>;
    for (const [act, message] of [
      [() => serializeSafetensors(new Map([['__metadata__', one]])), /cannot be called/],
      [() => serializeSafetensors(new Map(), numbers), /metadata "step" is not a string/],
      [() => serializeSafetensors(new Map([['\ud800', one]])), /not well-formed Unicode/],
      [
        () => serializeSafetensors(new Map([['x', { ...one, shape: [2] }]])),
        /"x": 1 values of 1 bytes are not U8 \[2\]/,
      ],
      [
        () => serializeSafetensors(new Map([['x', { ...one, dtype: 'U16' }]])),
        /1 values of 1 bytes are not U16/,
      ],
    ] as const) {
      expect(act).toThrow(SafetensorsError);
      expect(act).toThrow(message);
    }
  });
});

describe('what is said of a defect', () => {
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['seven bytes', new Uint8Array(7), /7 bytes are too few for a header length/],
    ['a header beyond any', file('{}', 0, 100_000_001n), /claims 100000001 bytes, more than/],
    ['a header beyond the file', file('{}', 0, 3n), /claims 3 bytes, the file has 10: it is cut/],
    ['no header', file(''), /does not begin with '\{'/],
    ['a byte order mark', file('\ufeff{}'), /does not begin with '\{'/],
    ['bytes that are no text', file(Uint8Array.of(0x7b, 0xff, 0x7d)), /not UTF-8/],
    ['a mark inside', file('{\ufeff}'), /expected '"'/],
    ['text behind', file('{} {}'), /character 3: there is text after the header/],
    ['an open string', file('{"x'), /a string is cut off/],
    ['a bad escape', file('{"\\q":1}'), /invalid escape/],
    ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}'), /__metadata__ comes twice/],
    [
      'a key of metadata twice',
      file('{"__metadata__":{"a":"1","a":"2"}}'),
      /metadata "a" comes twice/,
    ],
    ['a number as metadata', file('{"__metadata__":{"a":1}}'), /expected '"'/],
    ['a tensor twice', file(`{"x":${good},"x":${good}}`, 4), /tensor "x" comes twice/],
    [
      'dtype twice',
      file('{"x":{"dtype":"F32","dtype":"F32"}}'),
      /has the field "dtype", unknown or twice/,
    ],
    ['shape twice', file('{"x":{"shape":[],"shape":[]}}'), /the field "shape", unknown or twice/],
    [
      'offsets twice',
      file('{"x":{"data_offsets":[0,0],"data_offsets":[0,0]}}'),
      /the field "data_offsets", unknown or twice/,
    ],
    ['another field', file('{"x":{"stride":[1]}}'), /the field "stride", unknown or twice/],
    [
      'no dtype',
      file('{"x":{"shape":[],"data_offsets":[0,4]}}', 4),
      /"x" lacks dtype, shape or data_offsets/,
    ],
    ['no shape', file('{"x":{"dtype":"F32","data_offsets":[0,4]}}', 4), /"x" lacks/],
    ['no offsets', file('{"x":{"dtype":"F32","shape":[1]}}', 4), /"x" lacks/],
    ['one offset', file(`{"x":${entry('F32', '0', '0')}}`), /has 1 data_offsets, not 2/],
    ['no offset', file(`{"x":${entry('F32', '0', '')}}`), /has 0 data_offsets, not 2/],
    ['three offsets', file(`{"x":${entry('F32', '0', '0,0,0')}}`), /has 3 data_offsets, not 2/],
    ['a negative size', file(`{"x":${entry('F32', '-1', '0,4')}}`, 4), /non-negative integer/],
    ['a fraction', file(`{"x":${entry('F32', '1.0', '0,4')}}`, 4), /non-negative integer/],
    ['a large number', file(`{"x":${entry('F32', '9007199254740992', '0,4')}}`, 4), /too large/],
    [
      'an unknown dtype',
      file(`{"x":${entry('F8', '4', '0,4')}}`, 4),
      /has dtype "F8": known are F64, I64, .*BOOL$/,
    ],
    ['ends before it begins', file(`{"x":${entry('F32', '1', '4,0')}}`, 4), /at bytes 4 to 0 of 4/],
    ['data beyond the file', file(`{"x":${entry('F32', '2', '0,8')}}`, 4), /at bytes 0 to 8 of 4/],
    [
      'a shape that is not its bytes',
      file(`{"x":${entry('F32', '1,1,1,1,1,1,1,1,2', '0,4')}}`, 4),
      /of F32 \[1,1,1,1,1,1,1,1\] needs 8 bytes, its range has 4/,
    ],
    [
      'a range that does not begin at 0',
      file(`{"x":${entry('F32', '1', '4,12')}}`, 12),
      /needs 4 bytes, its range has 8/,
    ],
    [
      'a shape that overflows behind a 0',
      file(`{"x":${entry('F64', '0,9007199254740991,9007199254740991', '0,0')}}`),
      /its range has 0/,
    ],
    [
      'a hole',
      file(`{"x":${entry('F32', '1', '4,8')}}`, 8),
      /begins at byte 4, but 0 is next: a hole/,
    ],
    [
      'an overlap',
      file(`{"x":${good},"y":${entry('F32', '1', '2,6')}}`, 6),
      /"y" begins at byte 2, but 4 is next: an overlap/,
    ],
    ['bytes behind', file(`{"x":${good}}`, 5), /end at byte 4 of 5: bytes are left over/],
    [
      'a long name, cut',
      file(`{"${'n'.repeat(200)}":${entry('F32', '1', '4,8')}}`, 8),
      /tensor "n{78}… begins/,
    ],
    [
      'a name of just eighty',
      file(`{"${'n'.repeat(78)}":${entry('F32', '1', '4,8')}}`, 8),
      /tensor "n{78}" begins/,
    ],
  ];

  it.each(cases)('%s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes)).toThrow(SafetensorsError);
    expect(() => parseSafetensors(bytes)).toThrow(message);
  });

  it('nothing of what lies at a boundary', () => {
    expect(parseSafetensors(file('{}')).tensors.size).toBe(0);
    expect(parseSafetensors(file('{ }')).tensors.size).toBe(0);
    const empty = entry('F32', '0', '4,4');
    // an empty tensor stands before the one that begins where it does
    const { tensors } = parseSafetensors(
      file(`{"y":${entry('F32', '1', '4,8')},"e":${empty},"x":${good}}`, 8),
    );
    expect([...tensors.keys()]).toEqual(['y', 'e', 'x']);
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, 100_000_000n, true);
    expect(headerLength(length, 100_000_008)).toBe(100_000_000);
    expect(() => headerLength(length, 100_000_007)).toThrow(/cut off/);
    expect(() => headerLength(length.subarray(1), 100)).toThrow(/too few/);
    expect(() => headerLength(length, 7)).toThrow(/too few/);
    expect(parseSafetensorsHeader(utf8(`{"x":${good}}`), 4).entries).toEqual([
      { name: 'x', dtype: 'F32', shape: [1], begin: 0, end: 4 },
    ]);
  });
});

describe('weights in a smaller type', () => {
  const of = (...xs: number[]): HostTensor => ({
    ...{ dtype: 'F64', shape: [xs.length], data: Float64Array.from(xs) },
  });

  it.each([
    ['f32', 2 ** 128 - 2 ** 103, 2 ** -53, 'F32'],
    ['f16', 65520, 2 ** -24, 'F16'],
    ['bf16', 2 ** 128 - 2 ** 119, 2 ** -24, 'BF16'],
  ] as const)(
    '%s holds what rounds to a finite number, and refuses the rest',
    (dtype, limit, ulp, as) => {
      const below = limit * (1 - ulp);
      for (const sign of [1, -1]) {
        const kept = inFileDType('w', of(sign * below), dtype);
        expect(kept.dtype).toBe(as);
        const bytes = serializeSafetensors(new Map([['w', kept]]));
        const back = parseSafetensors(bytes).tensors.get('w')!.data[0]!;
        expect(Number.isFinite(back)).toBe(true);
        expect(() => inFileDType('w', of(0, sign * limit), dtype)).toThrow(CheckpointError);
        expect(() => inFileDType('w', of(sign * limit), dtype)).toThrow(
          dtype === 'f16' ? /too large for f16: save in bf16, f32 or f64$/ : /: save in f64$/,
        );
      }
      const odd = inFileDType('w', of(Number.NaN, Number.POSITIVE_INFINITY), dtype);
      expect([...odd.data]).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
    },
  );

  it('a number that would become infinite by rounding twice is refused', () => {
    for (const [dtype, limit] of [
      ['f16', 65520],
      ['bf16', 2 ** 128 - 2 ** 119],
    ] as const) {
      expect(() => inFileDType('w', of(limit * (1 - 2 ** -53)), dtype)).toThrow(CheckpointError);
    }
  });

  it('f64 holds all of them', () => {
    const single: HostTensor = { dtype: 'F32', shape: [1], data: Float32Array.of(0.1) };
    expect(inFileDType('w', single, 'f64')).toEqual({
      ...{ dtype: 'F64', shape: [1], data: Float64Array.of(Math.fround(0.1)) },
    });
    expect(inFileDType('w', of(Number.MAX_VALUE), 'f64').data[0]).toBe(Number.MAX_VALUE);
  });
});
