/** ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for every linear op, with the gradient as Aᵀ; the gradient is taken at another point. */
import {
  apply,
  getBackend,
  hostRandom,
  type Op,
  type OpAttrs,
  type OpName,
  type Tensor,
  vjp,
} from '@loretta-ts/core';
import { type OpSample, opSamples, ops, type Samples, toTensor } from '@loretta-ts/core/testing';
import * as fc from 'fast-check';
import { values } from '../../draw';
import { must } from '../../row';
import { type Law, lawOf } from './law';

/** Linear ops: in which inputs together. A difference of two results is linear where the op is affine. */
const LINEAR: readonly (readonly [OpName, readonly number[]])[] = [
  ...(['neg', 'sum', 'cumsum', 'cast', 'reshape', 'permute', 'broadcastTo'] as const).map(
    (name) => [name, [0]] as const,
  ),
  ...(['slice', 'pad', 'flip', 'gather', 'embedding', 'unfold', 'fold', 'rope'] as const).map(
    (name) => [name, [0]] as const,
  ),
  ...(['add', 'sub', 'concat', 'updateSlice', 'fft'] as const).map(
    (name) => [name, [0, 1]] as const,
  ),
  ...[['where', [1, 2]] as const, ['scatterAdd', [0, 2]] as const, ['embeddingGrad', [1]] as const],
  ...[['mul', [0]] as const, ['mul', [1]] as const, ['div', [0]] as const],
  ...[['matmul', [0]] as const, ['matmul', [1]] as const],
  ...[['longConv', [0]] as const, ['longConv', [1]] as const, ['linearRecurrence', [1]] as const],
];

interface Drawn {
  readonly sample: OpSample<OpAttrs[OpName]>;
  readonly seed: number;
}

const dot = (a: Tensor, b: Tensor): number => a.mul(b).sum().itemSync();

function check(op: Op, moving: readonly number[], { sample, seed }: Drawn): void {
  const backend = getBackend();
  const ins = sample.ins.map((v) => toTensor(v, backend, 'f64'));
  const attrs = sample.attrs('f64');
  const at = moving.filter((i) => ins[i] !== undefined);
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
  const outputs = apply(op, ins, attrs).length;
  for (let o = 0; o < outputs; o++) {
    const moved = f(x, o).sub(f(origin, o)); // A (x − origin)
    const y = values(random, moved.shape);
    const back = vjp((...xs) => f(xs, o), ...elsewhere);
    const adjoint = back.pullback(y);
    const left = dot(moved, y);
    const right = at.reduce((n, _, k) => n + dot(x[k]!.sub(origin[k]!), adjoint[k]!), 0);
    must(
      Math.abs(left - right) <= 1e-9 * Math.max(1, Math.abs(left)),
      () => `output ${o}: ⟨A x, y⟩ is ${left}, ⟨x, Aᵀ y⟩ ${right}`,
    );
  }
}

export const adjoints: readonly Law[] = LINEAR.map(([name, moving]) => {
  const op = ops[name] as unknown as Op;
  // both tables have this row: the op and its samples agree
  const samples = (opSamples[name] as unknown as Samples<OpAttrs[OpName]>).filter(
    ({ ins, attrs }) => {
      const real = moving.every((i) => ins[i] === undefined || ins[i].kind === 'float');
      const { dtype } = attrs('f64') as { dtype?: string };
      return real && ins.length > 0 && (dtype === undefined || dtype === 'f64');
    },
  );
  const cases = fc.record({ sample: samples, seed: fc.nat(2 ** 30) });
  const inputs = `, input ${moving.join(' and ')}`;
  return lawOf(`adjoint of ${name}${inputs}`, cases, (drawn) => check(op, moving, drawn));
});
