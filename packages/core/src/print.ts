/** Tensors as text, laid out as NumPy does, and as nested arrays. */
import { type DType, type Shape, showAval, sizeOf, stridesOf, type TypedArray } from './dtype';
import { type ElementFormat, elementFormat } from './format';

/** A number, or arrays of them to any depth. */
export type NestedNumbers = number | NestedNumbers[];

/** Flat values as nested arrays of a shape. */
export function nest(data: ArrayLike<number>, shape: Shape): NestedNumbers {
  const strides = stridesOf(shape);
  const build = (axis: number, offset: number): NestedNumbers => {
    if (axis === shape.length) return data[offset]!;
    return Array.from({ length: shape[axis]! }, (_, i) =>
      build(axis + 1, offset + i * strides[axis]!),
    );
  };
  return build(0, 0);
}

/** More elements than this are summarised. */
const THRESHOLD = 1000;
/** Elements shown at each end of a long axis. */
const EDGE = 3;
/** Characters of a line. */
const WIDTH = 75;
const PREFIX = 'tensor(';
const SEPARATOR = ', ';

/** Reads `size` elements from an offset. */
type Read = (offset: number, size: number) => TypedArray;

/**
 * `tensor([[1., 2.],\n        [3., 4.]], f32)`. Beyond 1000 elements three at each end of an axis are shown, `...` for the
 * rest, and the shape with the dtype: of such a tensor only what is shown is read.
 */
export function printTensor(dtype: DType, shape: Shape, read: Read): string {
  const size = sizeOf(shape);
  const long = size > THRESHOLD;
  const tail = size === 0 || long ? showAval({ shape, dtype }) : dtype;
  if (size === 0) return `${PREFIX}[], ${tail})`;
  const shown = shape.map((d) => (long && d > 2 * EDGE ? 2 * EDGE : d));
  const values = long ? readEdges(shape, shown, read) : read(0, size);
  const format = elementFormat(dtype, values, shape.length === 0);
  const text = `${PREFIX}${layOut(values, shape, shown, format)},`;
  const last = text.length - (text.lastIndexOf('\n') + 1);
  const space = last + tail.length + 2 > WIDTH ? `\n${' '.repeat(PREFIX.length)}` : ' ';
  return `${text}${space}${tail})`;
}

/** The first and last elements of each long axis, row-major in the shape that is shown. */
function readEdges(shape: Shape, shown: Shape, read: Read): number[] {
  const strides = stridesOf(shape);
  const out: number[] = [];
  const visit = (axis: number, offset: number): void => {
    const last = axis === shape.length - 1;
    for (const [start, count] of runs(shape[axis]!, shown[axis]!)) {
      if (last) out.push(...read(offset + start, count));
      else for (let i = 0; i < count; i++) visit(axis + 1, offset + (start + i) * strides[axis]!);
    }
  };
  visit(0, 0);
  return out;
}

function runs(length: number, shown: number): readonly (readonly [number, number])[] {
  if (shown === length) return [[0, length]];
  return [
    [0, EDGE],
    [length - EDGE, EDGE],
  ];
}

/** Brackets, line breaks and indents of `numpy.array2string`. */
function layOut(
  values: ArrayLike<number>,
  shape: Shape,
  shown: Shape,
  format: ElementFormat,
): string {
  const strides = stridesOf(shown);
  const build = (axis: number, offset: number, indent: string, width: number): string => {
    if (axis === shape.length) return format(values[offset]!);
    const cut = shown[axis] !== shape[axis];
    const parts = Array.from({ length: shown[axis]! }, (_, i) =>
      build(axis + 1, offset + i * strides[axis]!, `${indent} `, width - 1),
    );
    if (cut) parts.splice(EDGE, 0, '...');
    if (axis === shape.length - 1) return `[${wrap(parts, indent, width - 1)}]`;
    const breaks = '\n'.repeat(shape.length - 1 - axis);
    return `[${parts.join(`${SEPARATOR.trimEnd()}${breaks}${indent}`)}]`;
  };
  return build(0, 0, ' '.repeat(PREFIX.length + 1), WIDTH - 1);
}

/** Elements on as few lines as hold them, without the indent of the first. */
function wrap(parts: readonly string[], indent: string, width: number): string {
  const lines: string[] = [];
  let line = indent;
  parts.forEach((part, i) => {
    if (line.length + part.length > width && line.length > indent.length) {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += i + 1 === parts.length ? part : part + SEPARATOR;
  });
  return [...lines, line].join('\n').slice(indent.length);
}
