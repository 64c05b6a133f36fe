/** Samples of reductions and movement. */
import * as fc from 'fast-check';
import type { Axes, Axis, OpAttrs, ReduceAttrs, ShapeAttrs } from '../../attrs';
import { type Shape, sizeOf } from '../../dtype';
import {
  axesOf,
  axisOf,
  bools,
  broadcastable,
  distinct,
  floats,
  type HostValue,
  integers,
  numbers,
  shapes,
  special,
} from '../values';
import { type Samples, sample } from './sample';

/** Axes of a reduction; those of `max` have elements. */
function reduced(
  values: (shape: Shape) => fc.Arbitrary<HostValue>,
  needsElements = false,
): Samples<Axes> {
  return shapes().chain((shape) =>
    fc
      .tuple(values(shape), axesOf(shape), fc.boolean())
      .filter(([, axes]) => !needsElements || axes.every((a) => shape[a]! > 0))
      .map(([x, axes, keepDims]) => sample([x], { axes, keepDims })),
  );
}

const distinctOrInteger = (s: Shape): fc.Arbitrary<HostValue> =>
  fc.oneof({ weight: 3, arbitrary: distinct(s) }, { weight: 1, arbitrary: integers(s) });

/** Of an axis that has elements: chosen before the values, so that no shape is drawn for ever. */
const chosen: Samples<Axis> = shapes({ minRank: 1 })
  .map((shape) => (shape.some((d) => d > 0) ? shape : [...shape, 1]))
  .chain((shape) => {
    const filled = shape.flatMap((d, i) => (d > 0 ? [i] : []));
    return fc
      .tuple(fc.oneof(floats(shape, special), integers(shape)), fc.constantFrom(...filled))
      .map(([x, axis]) => sample([x], { axis }));
  });

export const reduceSamples: { readonly [N in keyof ReduceAttrs]: Samples<ReduceAttrs[N]> } = {
  sum: reduced(numbers),
  prod: reduced((s) => numbers(s)),
  max: reduced(distinctOrInteger, true),
  min: reduced(distinctOrInteger, true),
  argmax: chosen,
  argmin: chosen,
  argsort: shapes({ minRank: 1 }).chain((shape) =>
    fc
      .tuple(fc.oneof(floats(shape, special), integers(shape)), axisOf(shape), fc.boolean())
      .map(([x, axis, descending]) => sample([x], { axis, descending })),
  ),
  cumsum: shapes({ minRank: 1 }).chain((shape) =>
    fc
      .tuple(numbers(shape), axisOf(shape), fc.boolean())
      .map(([x, axis, reverse]) => sample([x], { axis, reverse })),
  ),
};

/** Floats, i32 or bools. */
const anything = (shape: Shape): fc.Arbitrary<HostValue> =>
  fc.oneof(
    { weight: 4, arbitrary: floats(shape) },
    { weight: 1, arbitrary: integers(shape) },
    { weight: 1, arbitrary: bools(shape) },
  );

const casts: Samples<OpAttrs['cast']> = shapes().chain((shape) =>
  fc
    .tuple(anything(shape), fc.constantFrom('float' as const, 'i32' as const, 'bool' as const))
    .map(([x, to]) => ({
      ins: [x],
      attrs: (float) => ({ dtype: to === 'float' ? float : to }),
    })),
);

/** A start, size and step that stay within an axis. */
function run(d: number): fc.Arbitrary<readonly [start: number, size: number, step: number]> {
  if (d === 0) return fc.constant([0, 0, 1]);
  return fc
    .tuple(fc.integer({ min: 0, max: d - 1 }), fc.constantFrom(1, 1, 2, 3, -1, -2))
    .chain(([start, step]) => {
      const room = Math.floor((step > 0 ? d - 1 - start : start) / Math.abs(step)) + 1;
      return fc
        .integer({ min: 0, max: room })
        .map((size): readonly [number, number, number] => [start, size, step]);
    });
}

const slices: Samples<OpAttrs['slice']> = shapes().chain((shape) =>
  fc.tuple(anything(shape), fc.tuple(...shape.map(run))).map(([x, runs]) =>
    sample([x], {
      starts: runs.map((r) => r[0]),
      sizes: runs.map((r) => r[1]),
      steps: runs.map((r) => r[2]),
    }),
  ),
);

const pads: Samples<OpAttrs['pad']> = shapes({ maxRank: 3 }).chain((shape) => {
  const widths = fc.array(fc.integer({ min: 0, max: 2 }), {
    minLength: shape.length,
    maxLength: shape.length,
  });
  return fc
    .tuple(anything(shape), widths, widths, fc.constantFrom(0, 0, 1, -3))
    .map(([x, before, after, value]) => sample([x], { before, after, value }));
});

const joins: Samples<OpAttrs['concat']> = shapes({ minRank: 1, maxRank: 3 }).chain((shape) =>
  axisOf(shape).chain((axis) => {
    const part = fc
      .integer({ min: 0, max: 3 })
      .map((n) => shape.map((d, i) => (i === axis ? n : d)));
    const kinds = [(s: Shape) => floats(s), (s: Shape) => integers(s), bools] as const;
    return fc
      .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), fc.constantFrom(0, 0, 0, 1, 2))
      .chain(([parts, kind]) => fc.tuple(...parts.map((s) => kinds[kind]!(s))))
      .map((ins) => sample(ins, { axis }));
  }),
);

/** The same number of elements in another shape. */
function reshaped(shape: Shape): fc.Arbitrary<number[]> {
  const n = sizeOf(shape);
  const halves = n % 2 === 0 ? [[2, n / 2]] : [];
  return fc.constantFrom([n], [1, n], [...shape, 1], [...shape].reverse(), ...halves);
}

export const shapeSamples: { readonly [N in keyof ShapeAttrs]: Samples<ShapeAttrs[N]> } = {
  cast: casts,
  reshape: shapes().chain((s) =>
    fc.tuple(anything(s), reshaped(s)).map(([x, shape]) => sample([x], { shape })),
  ),
  permute: shapes().chain((s) => {
    const axes = s.map((_, i) => i);
    const order = fc.shuffledSubarray(axes, { minLength: s.length, maxLength: s.length });
    return fc.tuple(anything(s), order).map(([x, o]) => sample([x], { axes: o }));
  }),
  slice: slices,
  pad: pads,
  concat: joins,
  broadcastTo: shapes().chain((shape) =>
    broadcastable(shape)
      .chain(anything)
      .map((x) => sample([x], { shape })),
  ),
  flip: shapes().chain((s) =>
    fc.tuple(anything(s), axesOf(s)).map(([x, axes]) => sample([x], { axes })),
  ),
};
