/** Tensors as nested arrays and as text. */
import { type Shape, sizeOf, type TypedArray } from './dtype';

/** A number, or arrays of them to any depth. */
export type NestedNumbers = number | NestedNumbers[];

/** Flat values as nested arrays of a shape. */
export function nest(data: TypedArray, shape: Shape): NestedNumbers {
  const build = (axis: number, offset: number): NestedNumbers => {
    if (axis === shape.length) return data[offset]!;
    const inner = sizeOf(shape.slice(axis + 1));
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, offset + i * inner));
  };
  return build(0, 0);
}

/** Rows or columns shown at each end of a long axis. */
const EDGE = 3;
const LONG = 2 * EDGE + 1;

/** `f32[2,3] [[1, 2, 3], [4, 5, 6]]`, long axes elided as NumPy does. */
export function formatTensor(head: string, data: TypedArray, shape: Shape): string {
  const float = data instanceof Float32Array || data instanceof Float64Array;
  const show = (x: number): string => (float ? String(Number(x.toPrecision(5))) : String(x));
  const build = (axis: number, offset: number): string => {
    if (axis === shape.length) return show(data[offset]!);
    const n = shape[axis]!;
    const inner = sizeOf(shape.slice(axis + 1));
    const parts: string[] = [];
    for (let i = 0; i < n; i++) {
      if (n > LONG && i === EDGE) {
        parts.push('…');
        i = n - EDGE;
      }
      parts.push(build(axis + 1, offset + i * inner));
    }
    const separator = axis === shape.length - 1 ? ', ' : `,\n${' '.repeat(head.length + 2 + axis)}`;
    return `[${parts.join(separator)}]`;
  };
  return `${head} ${build(0, 0)}`;
}
