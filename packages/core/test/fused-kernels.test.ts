/** Fused ops in training: what their tapes keep, and that a backend's own kernels run both ways. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  adamw,
  add,
  apply,
  attention,
  type Backend,
  capture,
  crossEntropy,
  fold,
  gelu,
  grad,
  type Kernels,
  layerNorm,
  logSoftmax,
  rmsNorm,
  rope,
  selectiveScan,
  selectiveScanWithState,
  setBackend,
  silu,
  softmax,
  sum,
  swiglu,
  type Tensor,
  tidy,
  unfold,
  vjp,
} from '../src';
import { attentionOp } from '../src/ops/fused/attention';
import { layerNormOp, rmsNormOp } from '../src/ops/fused/norm';
import { crossEntropyOp } from '../src/ops/fused/softmax';
import { instead } from '../src/testing';
import { bool, f64, i32, wave } from './plain';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

const of = (...shape: number[]): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return f64(shape, wave(size, shape.length));
};

/** Every row: inputs, what is called, and the buffers that its gradient needs, by what they hold. */
const rows: Readonly<
  Record<
    string,
    readonly [make: () => Tensor[], call: (...xs: Tensor[]) => Tensor, kept: readonly string[]]
  >
> = {
  gelu: [() => [of(2, 3)], (x) => gelu(x!), ['x']],
  silu: [() => [of(2, 3)], (x) => silu(x!), ['x']],
  swiglu: [() => [of(2, 3), of(2, 3)], (g, u) => swiglu(g!, u!), ['gate', 'up']],
  softmax: [() => [of(2, 3)], (x) => softmax(x!), ['y']],
  logSoftmax: [() => [of(2, 3)], (x) => logSoftmax(x!), ['y']],
  crossEntropy: [
    () => [of(2, 3), i32(0, 1)],
    (x, t) => crossEntropy(x!, t!),
    ['logits', 'targets', 'lse'],
  ],
  layerNorm: [
    () => [of(2, 3), of(3), of(3)],
    (x, w, b) => layerNorm(x!, w!, b!),
    ['x', 'weight', 'bias', 'mean', 'rstd'],
  ],
  rmsNorm: [() => [of(2, 3), of(3)], (x, w) => rmsNorm(x!, w!), ['x', 'weight', 'rstd']],
  rope: [() => [of(1, 2, 1, 4), i32(0, 1)], (x, p) => rope(x!, p!), ['positions']],
  attention: [
    () => [of(1, 2, 1, 3), of(1, 2, 1, 3), of(1, 2, 1, 3)],
    (q, k, v) => attention(q!, k!, v!),
    ['q', 'k', 'v', 'o', 'lse'],
  ],
  selectiveScan: [
    () => [of(1, 2, 3), of(1, 2, 3), of(2, 2), of(1, 3, 2), of(1, 3, 2)],
    (u, delta, A, B, C) => selectiveScan(u!, delta!, A!, B!, C!),
    ['u', 'delta', 'A', 'B', 'C'],
  ],
  unfold: [() => [of(1, 1, 4, 4)], (x) => unfold(x!, 2), []],
  fold: [() => [of(1, 4, 9)], (x) => fold(x!, 4, 2), []],
};

describe('what the tape keeps', () => {
  it.each(Object.entries(rows))('of %s is what its gradient reads, and no more', (_, row) => {
    const [make, call, kept] = row;
    const gradients = (free: boolean): number[][] => {
      const xs = make();
      const { value, pullback } = vjp(call, ...xs);
      const ct = of(...value.shape);
      if (free) {
        for (const t of [value, ...xs]) t.dispose();
        expect(backend.memory().buffers).toBe(kept.length + 1);
      }
      const found = tidy(() => pullback(ct).filter((g) => g.dtype === 'f64'));
      const data = found.map((g) => [...g.dataSync()]);
      for (const t of [...found, ct]) t.dispose();
      if (!free) for (const t of [value, ...xs]) t.dispose();
      return data;
    };
    const got = gradients(true);
    expect(backend.memory().buffers).toBe(0);
    expect(got).toEqual(gradients(false));
  });
});

/** The fused kernels of a backend that has one for each: they note their name and what they were given. */
function fusedBackend(names: readonly string[]): { ran: string[]; attrs: object[] } {
  const [ran, attrs]: [string[], object[]] = [[], []];
  const own = Object.fromEntries(
    names.map((name) => [
      name,
      (_ins: unknown, _outs: unknown, a: object) => {
        ran.push(name);
        attrs.push(a);
      },
    ]),
  );
  const kernels = { ...backend.kernels, ...own } as Kernels;
  setBackend(instead(backend, { kernels, fusedDTypes: ['f64'] }));
  return { ran, attrs };
}

describe('a backend with fused kernels', () => {
  const trained = Object.entries(rows).filter(([name]) => name !== 'unfold' && name !== 'fold');

  it.each(trained)('runs %s and its gradient as one kernel each', (name, [make, call]) => {
    const back = name === 'rope' ? name : `${name}Grad`;
    const { ran } = fusedBackend([name, back]);
    const { value, pullback } = vjp(call, ...make());
    expect(ran).toEqual([name]);
    pullback(of(...value.shape));
    expect(ran).toEqual([name, back]);
  });

  it.each(trained)('names %s in captured programs', (name, [make, call]) => {
    fusedBackend([name, `${name}Grad`]);
    using program = capture(call);
    program.call(...make());
    expect(program.program.instructions.map((i) => i.op.name)).toContain(name);
  });

  it('tells its kernels all options', () => {
    const { ran, attrs } = fusedBackend(['gelu', 'geluGrad', 'rope', 'crossEntropy', 'adamw']);
    grad((x) => sum(gelu(x, { approximate: false })))(of(3));
    gelu(of(3));
    grad((x) => sum(rope(x, i32(0), { theta: 7, rotaryDim: 2, interleaved: true })))(
      of(1, 1, 1, 4),
    );
    crossEntropy(of(2, 3), i32(0, 1));
    const adam = { beta1: 0.5, beta2: 0.25, eps: 0.125 };
    adamw(of(2), of(2), of(2), of(2), of(5), adam);
    const turn = { theta: 7, rotaryDim: 2, interleaved: true };
    expect(ran).toEqual(['gelu', 'geluGrad', 'gelu', 'rope', 'rope', 'crossEntropy', 'adamw']);
    expect(attrs).toEqual([
      { approximate: false },
      { approximate: false },
      { approximate: true },
      { ...turn, inverse: false },
      { ...turn, inverse: true },
      { ignoreIndex: -100 },
      adam,
    ]);
  });

  it('tells attention which inputs follow, and its position', () => {
    const { attrs } = fusedBackend(['attention']);
    const [q, k] = [of(1, 2, 1, 4), of(1, 3, 1, 4)];
    const none = { mask: false, bias: false, segments: false, lengths: false };
    const common = { causal: false, window: 0, scale: 0.5 };
    attention(q, k, k);
    attention(q, k, k, { mask: bool([3], [1, 1, 1]), causal: true, window: 2, scale: 3 });
    attention(q, k, k, { bias: of(3), qOffset: 5 });
    attention(q, q, q, { segments: i32(0, 0).reshape(1, 2) });
    attention(q, k, k, { lengths: i32(2), qOffset: 5 });
    expect(attrs).toEqual([
      { ...common, qOffset: 1, has: none },
      { causal: true, window: 2, scale: 3, qOffset: 1, has: { ...none, mask: true } },
      { ...common, qOffset: 5, has: { ...none, bias: true } },
      { ...common, qOffset: 0, has: { ...none, segments: true } },
      { ...common, qOffset: 0, has: { ...none, lengths: true } },
    ]);
  });

  it('tells the scan which inputs follow', () => {
    const { attrs } = fusedBackend(['selectiveScan']);
    const ins = [of(1, 2, 3), of(1, 2, 3), of(2, 2), of(1, 3, 2), of(1, 3, 2)] as const;
    selectiveScan(...ins);
    selectiveScan(...ins, { state: of(1, 2, 2) });
    selectiveScan(...ins, { starts: bool([1, 3], [0, 1, 0]) });
    expect(attrs).toEqual([
      { has: { state: false, starts: false } },
      { has: { state: true, starts: false } },
      { has: { state: false, starts: true } },
    ]);
  });

  it('takes the longer way where the gradient kernel does not reach', () => {
    const { ran } = fusedBackend(['selectiveScanGrad', 'layerNormGrad', 'rmsNormGrad']);
    const scan = (state: boolean, last: boolean): void => {
      const ins = [of(1, 2, 3), of(1, 2, 3), of(2, 2), of(1, 3, 2), of(1, 3, 2)];
      const { value, pullback } = vjp(
        (...xs) => {
          const [u, delta, A, B, C] = xs as [Tensor, Tensor, Tensor, Tensor, Tensor];
          const o = state ? { state: xs[5]! } : {};
          return selectiveScanWithState(u, delta, A, B, C, o)[last ? 1 : 0];
        },
        ...ins,
        ...(state ? [of(1, 2, 2)] : []),
      );
      pullback(of(...value.shape));
    };
    scan(true, false);
    scan(false, true);
    expect(ran).toEqual([]);
    scan(false, false);
    expect(ran).toEqual(['selectiveScanGrad']);
  });

  it.each([
    ['layerNorm', (x: Tensor) => apply(layerNormOp, [x, of(3), of(3)], { eps: 0.1 })],
    ['rmsNorm', (x: Tensor) => apply(rmsNormOp, [x, of(3)], { eps: 0.1 })],
    ['crossEntropy', (x: Tensor) => apply(crossEntropyOp, [x, i32(0, 1)], { ignoreIndex: -100 })],
    [
      'attention',
      (x: Tensor) => {
        const has = { mask: false, bias: false, segments: false, lengths: false };
        const attrs = { causal: false, window: 0, scale: 1, qOffset: 0, has };
        const q = x.reshape(1, 2, 1, 3);
        return apply(attentionOp, [q, q, q], attrs);
      },
    ],
  ] as const)('differentiates the statistics of %s by the longer way', (name, outs) => {
    const { ran } = fusedBackend([`${name}Grad`]);
    const of1 = (pick: (ys: readonly Tensor[]) => Tensor) =>
      grad((x) => tidy(() => sum(pick(outs(x)))))(of(2, 3));
    of1((ys) => ys[1]!);
    of1((ys) => add(sum(ys[0]!), sum(ys.at(-1)!)));
    expect(ran).toEqual([]);
    of1((ys) => ys[0]!);
    expect(ran).toEqual([`${name}Grad`]);
  });
});
