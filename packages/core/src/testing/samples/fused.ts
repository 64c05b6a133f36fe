/** Samples of fused ops. What a gradient op reads of its forward op is derived, so that the two agree. */
import * as fc from 'fast-check';
import { apply } from '../../apply';
import type { AttentionAttrs, FusedAttrs, OpAttrs } from '../../attrs';
import type { Op } from '../../op';
import { attentionOp } from '../../ops/fused/attention';
import { layerNormOp, rmsNormOp } from '../../ops/fused/norm';
import { crossEntropyOp, logSoftmax, softmax } from '../../ops/fused/softmax';
import type { Tensor } from '../../tensor';
import {
  bools,
  broadcastable,
  floats,
  type HostValue,
  indices,
  integers,
  positive,
  shapes,
} from '../values';
import { type OpSample, type Samples, sample } from './sample';

const small = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

/** `[..., d]` with rows of at least `d` elements. */
const rows = (d: number): fc.Arbitrary<number[]> =>
  fc.tuple(shapes({ maxRank: 2, maxDim: 4 }), small(d, 7)).map(([lead, n]) => [...lead, n]);

/** n tensors of one shape. */
function alike(n: number, shape: fc.Arbitrary<number[]>): fc.Arbitrary<HostValue[]> {
  return shape.chain((s) => fc.tuple(...Array.from({ length: n }, () => floats(s))));
}

const plain = (n: number, shape: fc.Arbitrary<number[]> = shapes()): Samples<OpAttrs['silu']> =>
  alike(n, shape).map((ins) => sample(ins, {}));

const gelus = (n: number): Samples<OpAttrs['gelu']> =>
  fc
    .tuple(alike(n, shapes()), fc.boolean())
    .map(([ins, approximate]) => sample(ins, { approximate }));

/** Logits, targets (some ignored) and, for the gradient, dloss. */
function classes(withGradient: boolean): Samples<OpAttrs['crossEntropy']> {
  const ignoreIndex = -100;
  return fc.tuple(small(0, 4), small(1, 6)).chain(([n, v]) => {
    const target = fc.oneof(
      { weight: 4, arbitrary: small(0, v - 1) },
      { weight: 1, arbitrary: fc.constant(ignoreIndex) },
    );
    const ins = fc.tuple(floats([n, v]), integers([n], target), floats([n]));
    return ins.map(([logits, targets, dloss]) =>
      withGradient
        ? sample([logits, targets, dloss], { ignoreIndex }, ([l, t, d]) => [
            l!,
            t!,
            apply(crossEntropyOp, [l!, t!], { ignoreIndex })[1]!,
            d!,
          ])
        : sample([logits, targets], { ignoreIndex }),
    );
  });
}

/** Larger than in practice: a row of equal values stays well-conditioned. */
const eps = 0.01;

function norms(vectors: number): fc.Arbitrary<OpSample<OpAttrs['layerNorm']>> {
  return rows(1).chain((shape) =>
    fc
      .tuple(floats(shape), ...Array.from({ length: vectors }, () => floats(shape.slice(-1))))
      .map((ins) => sample(ins, { eps })),
  );
}

/** x, weight, the saved statistics, dy. */
function normGrads(
  statistics: (x: Tensor, weight: Tensor) => readonly Tensor[],
): Samples<OpAttrs['layerNormGrad']> {
  return rows(1).chain((shape) =>
    fc
      .tuple(floats(shape), floats(shape.slice(-1)), floats(shape))
      .map((ins) => sample(ins, {}, ([x, w, dy]) => [x!, w!, ...statistics(x!, w!), dy!])),
  );
}

const ropes: Samples<OpAttrs['rope']> = fc
  .record({
    b: small(0, 2),
    t: small(0, 4),
    h: small(1, 2),
    d: small(1, 6),
    half: small(0, 3),
    batched: fc.boolean(),
    interleaved: fc.boolean(),
    inverse: fc.boolean(),
    theta: fc.constantFrom(100, 10000),
  })
  .chain(({ b, t, h, d, half, batched, ...a }) =>
    fc
      .tuple(floats([b, t, h, d]), indices(batched ? [b, t] : [t], 20))
      .map((ins) => sample(ins, { ...a, rotaryDim: Math.min(2 * half, d - (d % 2)) })),
  );

interface AttentionShape {
  readonly b: number;
  readonly t: number;
  readonly s: number;
  readonly h: number;
  readonly d: number;
  readonly dv: number;
}

/** Inputs of attention with their attributes; with `dout` also the cotangent of o. */
function attentions(dout: boolean): Samples<OpAttrs['attention']> {
  return fc
    .record({
      b: fc.constantFrom(0, 1, 1, 1, 2, 2, 2),
      t: small(1, 4),
      more: small(0, 2),
      kv: small(1, 2),
      group: small(1, 2),
      d: small(1, 4),
      dv: small(1, 4),
      causal: fc.boolean(),
      window: fc.constantFrom(0, 0, 1, 2, 3),
      scale: fc.constantFrom(0.5, 1),
      extra: fc.constantFrom('none', 'mask', 'bias', 'segments', 'lengths', 'all' as const),
    })
    .chain(({ b, t, more, kv, group, d, dv, causal, window, scale, extra }) => {
      const square = extra === 'segments';
      const s = square ? t : t + more;
      const shape = { b, t, s, h: kv * group, d, dv };
      const has = {
        mask: extra === 'mask' || extra === 'all',
        bias: extra === 'bias' || extra === 'all',
        segments: square,
        lengths: extra === 'lengths' || extra === 'all',
      };
      const attrs = { causal, window, scale, qOffset: has.lengths ? 0 : s - t, has };
      const base = fc.tuple(
        floats([b, t, shape.h, d]),
        floats([b, s, kv, d]),
        floats([b, s, kv, dv]),
        ...optional(shape, has),
        ...(dout ? [floats([b, t, shape.h, dv])] : []),
      );
      return base.map((ins) => sample(ins, attrs, dout ? savedFor(attrs) : undefined));
    });
}

function optional(
  { b, t, s, h }: AttentionShape,
  has: AttentionAttrs['has'],
): fc.Arbitrary<HostValue>[] {
  const scores = broadcastable([b, h, t, s]);
  return [
    ...(has.mask ? [scores.chain(bools)] : []),
    ...(has.bias ? [scores.chain((shape) => floats(shape))] : []),
    ...(has.segments ? [indices([b, s], 2)] : []),
    ...(has.lengths ? [integers([b], small(1, s))] : []),
  ];
}

/** Puts what the forward op saved before its cotangent. */
function savedFor(attrs: AttentionAttrs): OpSample<OpAttrs['attention']>['derive'] {
  return (ins) => {
    const own = ins.slice(0, -1);
    const [o, lse] = apply(attentionOp, own, attrs);
    return [...own, o!, lse!, ins.at(-1)!];
  };
}

const steps: Samples<OpAttrs['adamw']> = shapes().chain((shape) =>
  fc
    .tuple(
      floats(shape),
      floats(shape),
      floats(shape),
      floats(shape, positive),
      floats([5], positive),
    )
    .map((ins) => sample(ins, { beta1: 0.875, beta2: 0.96875, eps: 1e-8 })),
);

/** Inputs of a scan, with dy behind them for its gradient. */
const scans = (withGradient: boolean): Samples<OpAttrs['selectiveScan']> =>
  fc
    .record({
      ...{ b: small(0, 2), d: small(1, 5), l: small(0, 6), n: small(1, 5) },
      ...{ state: fc.boolean(), starts: fc.boolean() },
    })
    .chain(({ b, d, l, n, ...has }) =>
      fc
        .tuple(
          floats([b, d, l]),
          floats([b, d, l], positive),
          floats([d, n]),
          floats([b, l, n]),
          floats([b, l, n]),
          ...(has.state ? [floats([b, d, n])] : []),
          ...(has.starts ? [bools([b, l])] : []),
          ...(withGradient ? [floats([b, d, l])] : []),
        )
        .map((ins) => sample(ins, { has })),
    );

const statisticsOf =
  (op: Op<'layerNorm'> | Op<'rmsNorm'>) =>
  (x: Tensor, w: Tensor): readonly Tensor[] =>
    op.name === 'layerNorm'
      ? apply(op, [x, w, w], { eps }).slice(1)
      : apply(op, [x, w], { eps }).slice(1);

export const fusedSamples: { readonly [N in keyof FusedAttrs]: Samples<FusedAttrs[N]> } = {
  softmax: plain(1, rows(1)),
  softmaxGrad: alike(2, rows(1)).map((ins) => sample(ins, {}, ([x, dy]) => [softmax(x!), dy!])),
  logSoftmax: plain(1, rows(1)),
  logSoftmaxGrad: alike(2, rows(1)).map((ins) =>
    sample(ins, {}, ([x, dy]) => [logSoftmax(x!), dy!]),
  ),
  crossEntropy: classes(false),
  crossEntropyGrad: classes(true),
  layerNorm: norms(2),
  layerNormGrad: normGrads(statisticsOf(layerNormOp)),
  rmsNorm: norms(1),
  rmsNormGrad: normGrads(statisticsOf(rmsNormOp)),
  gelu: gelus(1),
  geluGrad: gelus(2),
  silu: plain(1),
  siluGrad: plain(2),
  swiglu: plain(2),
  swigluGrad: plain(3),
  rope: ropes,
  attention: attentions(false),
  attentionGrad: attentions(true),
  adamw: steps,
  selectiveScan: scans(false),
  selectiveScanGrad: scans(true),
};
