/** ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for every linear op, with the gradient as Aᵀ; the gradient is taken at another point. */
import {
  apply,
  eq,
  getBackend,
  hostRandom,
  type Op,
  type OpAttrs,
  type OpName,
  type Tensor,
  tidy,
  vjp,
  where,
} from '@loretta-ts/core';
import { type OpSample, opSamples, ops, type Samples, toTensor } from '@loretta-ts/core/testing';
import * as fc from 'fast-check';
import { values } from '../../draw';
import { must } from '../../row';
import { type Law, lawOf } from './law';

/**
 * Ops by the inputs that they are linear in together, counted from behind where negative. A difference of two results is
 * linear where the op is affine.
 */
const LINEAR: readonly (readonly [OpName, readonly number[]])[] = [
  ...(['neg', 'sum', 'cumsum', 'cast', 'reshape', 'permute', 'broadcastTo'] as const).map(
    (name) => [name, [0]] as const,
  ),
  ...(['slice', 'pad', 'flip', 'gather', 'embedding', 'unfold', 'fold', 'rope'] as const).map(
    (name) => [name, [0]] as const,
  ),
  ...(['add', 'sub', 'updateSlice', 'fft'] as const).map((name) => [name, [0, 1]] as const),
  ['concat', [0, 1, 2]],
  ...[['where', [1, 2]] as const, ['scatterAdd', [0, 2]] as const, ['embeddingGrad', [1]] as const],
  ...[['mul', [0]] as const, ['mul', [1]] as const, ['div', [0]] as const],
  ...[['matmul', [0]] as const, ['matmul', [1]] as const],
  ...[['longConv', [0]] as const, ['longConv', [1]] as const, ['linearRecurrence', [1]] as const],
  ...(['softmaxGrad', 'logSoftmaxGrad', 'geluGrad', 'siluGrad', 'crossEntropyGrad'] as const).map(
    (name) => [name, [-1]] as const,
  ),
  ...[['layerNorm', [1, 2]] as const, ['rmsNorm', [1]] as const],
  ...(['layerNormGrad', 'rmsNormGrad'] as const).flatMap((name) => [
    [name, [1]] as const,
    [name, [-1]] as const,
  ]),
  ...[['swiglu', [1]] as const, ['swigluGrad', [1]] as const, ['swigluGrad', [-1]] as const],
  ...[['attention', [2]] as const, ['attentionGrad', [2]] as const],
  ['attentionGrad', [-1, -3]],
  ...([0, 3, 4, 5] as const).map((i) => ['selectiveScan', [i]] as const),
  ...([0, 3, 4, 5, -1] as const).map((i) => ['selectiveScanGrad', [i]] as const),
];

/** Places of inputs, all from the front. */
function placesOf(moving: readonly number[], ins: readonly unknown[]): number[] {
  return moving.map((i) => (i < 0 ? ins.length + i : i));
}

interface Drawn {
  readonly sample: OpSample<OpAttrs[OpName]>;
  readonly seed: number;
}

function inputsOf({ ins, derive }: Drawn['sample']): readonly Tensor[] {
  const given = ins.map((v) => toTensor(v, getBackend(), 'f64'));
  return derive === undefined ? given : derive(given);
}

/** a − b; 0 where they are equal, infinities too: a query that sees nothing has them. */
const less = (a: Tensor, b: Tensor): Tensor => where(eq(a, b), 0, a.sub(b));

const dot = (a: Tensor, b: Tensor): number => a.mul(b).sum().itemSync();

function check(op: Op, moving: readonly number[], { sample, seed }: Drawn): void {
  const ins = inputsOf(sample);
  const attrs = sample.attrs('f64');
  const at = placesOf(moving, ins).filter((i) => ins[i]?.dtype === 'f64');
  const random = hostRandom(seed);
  const point = (): Tensor[] => at.map((i) => values(random, ins[i]!.shape));
  const f = (xs: readonly Tensor[], output: number): Tensor => {
    const all = [...ins];
    at.forEach((i, k) => {
      all[i] = xs[k]!;
    });
    return apply(op, all, attrs)[output]!;
  };
  const [x, origin, elsewhere] = [point(), point(), point()];
  const o = random.int(op.infer(ins, attrs).length);
  const moved = less(f(x, o), f(origin, o)); // A (x − origin)
  const y = values(random, moved.shape);
  const adjoint = vjp((...xs) => f(xs, o), ...elsewhere).pullback(y);
  const left = dot(moved, y);
  const right = at.reduce((n, _, k) => n + dot(x[k]!.sub(origin[k]!), adjoint[k]!), 0);
  must(
    Math.abs(left - right) <= 1e-9 * Math.max(1, Math.abs(left)),
    () => `output ${o}: ⟨A x, y⟩ is ${left}, ⟨x, Aᵀ y⟩ ${right}`,
  );
}

/** Samples of an op with floats in these inputs, and f64 for a result. */
function samplesOf(op: Op, moving: readonly number[]): Samples<OpAttrs[OpName]> {
  // both tables have this row: the op and its samples agree
  return (opSamples[op.name] as unknown as Samples<OpAttrs[OpName]>).filter(
    ({ ins, attrs, derive }) => {
      const real = moving.every((i) => (ins.at(i)?.kind ?? 'float') === 'float');
      const { dtype } = attrs('f64') as { dtype?: string };
      const there = derive !== undefined || ins.length > moving[0]!;
      return there && real && (dtype === undefined || dtype === 'f64');
    },
  );
}

export const adjoints: readonly Law[] = LINEAR.map(([name, moving]) => {
  const op = ops[name] as unknown as Op;
  const cases = fc.record({ sample: samplesOf(op, moving), seed: fc.nat(2 ** 30) });
  return lawOf(`adjoint of ${name}, input ${moving.join(' and ')}`, cases, (drawn) =>
    check(op, moving, drawn),
  );
});

/** Whether f(x) + f(y) = f(x + y − o) + f(o) in one input; null where the sample cannot tell, or has a law. */
function isAffine(op: Op, input: number, { sample, seed }: Drawn): boolean | null {
  const ins = inputsOf(sample);
  const given = ins[input];
  const named = LINEAR.filter(([name]) => name === op.name);
  if (named.some(([, moving]) => placesOf(moving, ins).includes(input))) return null;
  if (given?.dtype !== 'f64' || given.size === 0) return null;
  const random = hostRandom(seed);
  const [x, y, o] = [0, 1, 2].map(() => values(random, given.shape)) as [Tensor, Tensor, Tensor];
  const f = (at: Tensor): readonly Tensor[] =>
    apply(op, ins.with(input, at), sample.attrs('f64')).filter(
      ({ dtype, size }) => dtype === 'f64' && size > 0,
    );
  const [fx, fy, fo, joined] = [f(x), f(y), f(o), f(x.add(y).sub(o))];
  const most = (t: Tensor): number => t.abs().max().itemSync();
  let moves = false;
  for (const [i, value] of fx.entries()) {
    const want = value.add(fy[i]!);
    const apart = most(less(want, joined[i]!.add(fo[i]!)));
    if (!(apart <= 1e-9 * Math.min(1e3, Math.max(1, most(want))))) return false;
    moves ||= most(less(value, fy[i]!)) > 0;
  }
  return moves ? true : null;
}

/** Inputs among `inputs` in which an op is linear on every sample that can tell, and on one at least. */
function linearIn(
  name: OpName,
  inputs: readonly number[],
  seed: number,
  numRuns: number,
): number[] {
  if (inputs.length === 0) return [];
  const op = ops[name] as unknown as Op;
  const drawn = fc.sample(
    fc.record({
      sample: opSamples[name] as unknown as Samples<OpAttrs[OpName]>,
      seed: fc.nat(2 ** 30),
    }),
    { seed, numRuns },
  );
  return inputs.filter((i) => {
    const answers = drawn.map((each) => tidy(() => isAffine(op, i, each)));
    return answers.includes(true) && !answers.includes(false);
  });
}

const INPUTS = Array.from({ length: 9 }, (_, i) => i);

/** Inputs in which an op with a gradient is linear on every sample, and for which there is no law: `matmul, input 0`. */
export function withoutLaw(seed: number): string[] {
  return (Object.keys(ops) as OpName[])
    .filter((name) => ops[name].vjp !== null)
    .flatMap((name) => {
      // a bias of attention is linear where a query sees one key: few samples may all be such
      const linear = linearIn(name, linearIn(name, INPUTS, seed, 60), seed, 3000);
      return linear.map((i) => `${name}, input ${i}`);
    });
}
