/** Laws of the decoder: causality, cached = uncached, windows, packing, padding, positions, configuration. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import {
  DTypeError,
  key,
  ShapeError,
  setBackend,
  type Tensor,
  tensor,
  tidy,
  ValueError,
} from '@loretta-ts/core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Decoder, type DecoderConfig, KVCache, resolveDecoderConfig } from '../src/index';
import { expectClose } from './shared';

const TIGHT = [1e-10, 1e-12] as const;

const config: fc.Arbitrary<DecoderConfig> = fc
  .record({
    groups: fc.constantFrom(1, 2),
    kvHeads: fc.constantFrom(1, 2),
    layers: fc.integer({ min: 1, max: 2 }),
    norm: fc.constantFrom<'rms' | 'layer'>('rms', 'layer'),
    mlp: fc.constantFrom<'swiglu' | 'gelu'>('swiglu', 'gelu'),
    positions: fc.constantFrom<NonNullable<DecoderConfig['positions']>>(
      'rope',
      'learned',
      ['rope', 'within-block'],
      'within-block',
    ),
    window: fc.constantFrom(0, 3),
    tieEmbeddings: fc.boolean(),
    bias: fc.boolean(),
  })
  .map(({ groups, ...c }) => ({
    ...c,
    vocab: 11,
    dim: 8,
    heads: groups * c.kvHeads,
    maxLength: 16,
    dtype: 'f64',
    initStd: 0.3,
    ...(c.positions.includes('within-block') ? { withinLength: 9 } : {}),
  }));

const length = 7;
const ids = (values: readonly number[], rows = 1): Tensor =>
  tensor(values, { shape: [rows, values.length / rows], dtype: 'i32' });
const tokens = fc.array(fc.nat(10), { minLength: length, maxLength: length });

function logitsOf(model: Decoder, values: readonly number[]): ArrayLike<number> {
  return tidy(() => {
    const x = ids(values);
    return model.logits(model.forward(x, withinFor(model, values.length, 0)));
  }).dataSync();
}

function withinFor(model: Decoder, n: number, start: number): { within?: Tensor } {
  if (!model.config.positions.includes('within-block')) return {};
  return { within: ids(Array.from({ length: n }, (_, i) => (start + i) % 9)) };
}

describe('Decoder', () => {
  beforeAll(() => setBackend(referenceBackend()));

  it('is causal: a token changes no logits before it', () => {
    fc.assert(
      fc.property(config, tokens, fc.nat(length - 1), fc.nat(10), (c, values, at, other) => {
        const model = new Decoder(c, key(1));
        const v = c.vocab;
        const a = logitsOf(model, values);
        const b = logitsOf(model, values.with(at, other));
        expect(Array.from(b).slice(0, at * v)).toEqual(Array.from(a).slice(0, at * v));
        if (values[at] !== other) {
          expect(Array.from(b).slice(at * v)).not.toEqual(Array.from(a).slice(at * v));
        }
        model.dispose();
      }),
      { seed: 5, numRuns: 20 },
    );
  });

  it('decodes the same with a cache, however the tokens are cut into calls', () => {
    fc.assert(
      fc.property(config, tokens, fc.subarray([1, 2, 3, 4, 5, 6]), (c, values, cuts) => {
        const model = new Decoder(c, key(2));
        using cache = new KVCache(model.config, 1, length);
        const ends = [...cuts, length];
        const parts = ends.flatMap((end, i) => {
          const start = ends[i - 1] ?? 0;
          const part = ids(values.slice(start, end));
          const hidden = model.forward(part, { cache, ...withinFor(model, end - start, start) });
          return Array.from(model.logits(hidden).dataSync());
        });
        expectClose(parts, logitsOf(model, values), TIGHT, 'cached logits');
        expect(cache.length).toBe(length);
        model.dispose();
      }),
      { seed: 6, numRuns: 20 },
    );
  });

  it('sees W keys in a window', () => {
    const model = new Decoder(
      { vocab: 5, dim: 4, layers: 1, heads: 1, maxLength: 8, window: 3, dtype: 'f64' },
      key(3),
    );
    const a = logitsOf(model, [0, 1, 2, 3, 4]);
    const b = logitsOf(model, [4, 1, 2, 3, 4]);
    // the first token is seen by queries 0, 1 and 2
    expect(Array.from(b).slice(15)).toEqual(Array.from(a).slice(15));
    expect(Array.from(b).slice(10, 15)).not.toEqual(Array.from(a).slice(10, 15));
  });

  it('packed rows are as if alone', () => {
    fc.assert(
      fc.property(config, tokens, fc.integer({ min: 1, max: length - 1 }), (c, values, cut) => {
        const model = new Decoder(c, key(4));
        const at = values.map((_, i) => (i < cut ? i : i - cut));
        const alone = [values.slice(0, cut), values.slice(cut)].flatMap((part) =>
          Array.from(logitsOf(model, part)),
        );
        const packed = model.forward(ids(values), {
          positions: ids(at).reshape(length),
          segments: ids(values.map((_, i) => (i < cut ? 0 : 1))),
          ...(model.config.positions.includes('within-block')
            ? { within: ids(at.map((i) => i % 9)) }
            : {}),
        });
        expectClose(model.logits(packed).dataSync(), alone, TIGHT, 'packed logits');
        model.dispose();
      }),
      { seed: 7, numRuns: 15 },
    );
  });

  it('left padding changes nothing at the real tokens', () => {
    const model = new Decoder(
      { vocab: 9, dim: 8, layers: 2, heads: 2, maxLength: 8, dtype: 'f64' },
      key(5),
    );
    const alone = logitsOf(model, [3, 1, 4]);
    const attentionMask = tensor([0, 0, 1, 1, 1], { shape: [1, 5], dtype: 'bool' });
    const padded = model.logits(model.forward(ids([8, 8, 3, 1, 4]), { attentionMask })).dataSync();
    expectClose(Array.from(padded).slice(2 * 9), alone, TIGHT, 'padded logits');
  });

  it('drops by key, and not without one', () => {
    const model = new Decoder(
      { vocab: 9, dim: 8, layers: 1, heads: 2, maxLength: 8, dropout: 0.5 },
      key(6),
    );
    const x = ids([1, 2, 3]);
    const run = (seed: number | null): number[] => [
      ...model.forward(x, { key: seed === null ? null : key(seed) }).dataSync(),
    ];
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
    expect(run(null)).toEqual([...model.forward(x).dataSync()]);
  });

  it('has the names of Hugging Face', () => {
    const model = new Decoder(
      {
        vocab: 4,
        dim: 4,
        layers: 1,
        heads: 2,
        kvHeads: 1,
        maxLength: 4,
        positions: ['rope', 'within-block'],
        withinLength: 3,
      },
      key(0),
    );
    expect(
      model
        .namedParameters()
        .map(([name, p]) => `${name} ${p.shape.join('x')}${p.decay ? '' : ' no decay'}`),
    ).toEqual([
      'model.embed_tokens.weight 4x4',
      'model.within_positions.weight 3x4',
      'model.layers.0.input_layernorm.weight 4 no decay',
      'model.layers.0.self_attn.q_proj.weight 4x4',
      'model.layers.0.self_attn.k_proj.weight 2x4',
      'model.layers.0.self_attn.v_proj.weight 2x4',
      'model.layers.0.self_attn.o_proj.weight 4x4',
      'model.layers.0.post_attention_layernorm.weight 4 no decay',
      'model.layers.0.mlp.gate_proj.weight 16x4',
      'model.layers.0.mlp.up_proj.weight 16x4',
      'model.layers.0.mlp.down_proj.weight 4x16',
      'model.norm.weight 4 no decay',
      'lm_head.weight 4x4',
    ]);
  });

  const base: DecoderConfig = { vocab: 5, dim: 8, layers: 1, heads: 2, maxLength: 4 };
  it.each([
    ['vocab', { vocab: 0 }],
    ['dim', { dim: 7 }],
    ['layers', { layers: -1 }],
    ['heads', { heads: 1.5 }],
    ['kvHeads', { kvHeads: 3 }],
    ['headDim', { headDim: 3 }],
    ['ffDim', { ffDim: 0 }],
    ['norm', { norm: 'batch' }],
    ['normEps', { normEps: 0 }],
    ['mlp', { mlp: 'relu' }],
    ['positions', { positions: ['sinus'] }],
    ['maxLength', { maxLength: 0 }],
    ['withinLength', { positions: ['within-block'] }],
    ['window', { window: -1 }],
    ['tieEmbeddings', { tieEmbeddings: 1 }],
    ['dropout', { dropout: 1 }],
    ['ropeTheta', { ropeTheta: Number.NaN }],
    ['dtype', { dtype: 'f16' }],
    ['haeds', { haeds: 4 }],
  ])('names the wrong field %s', (field, change) => {
    const wrong = { ...base, ...change } as DecoderConfig;
    expect(() => resolveDecoderConfig(wrong)).toThrow(ValueError);
    expect(() => new Decoder(wrong, key(0))).toThrow(`Decoder: ${field} `);
  });

  it('refuses inputs that do not fit before it computes', () => {
    const model = new Decoder({ ...base, positions: 'learned' }, key(0));
    const within = new Decoder({ ...base, positions: 'within-block', withinLength: 2 }, key(0));
    const x = ids([1, 2, 3]);
    expect(() => model.forward(x.reshape(3))).toThrow(ShapeError);
    expect(() => model.forward(x.cast('f32'))).toThrow(DTypeError);
    expect(() => model.forward(ids([0, 1, 2, 3, 4]))).toThrow(ValueError);
    expect(() => model.forward(ids([5]))).toThrow(ValueError);
    expect(() => model.forward(x, { within: x })).toThrow(ValueError);
    expect(() => within.forward(x)).toThrow(ValueError);
    expect(() => within.forward(x, { within: ids([0, 0]) })).toThrow(ShapeError);
    expect(() => model.forward(x, { segments: ids([0]) })).toThrow(ShapeError);
    using cache = new KVCache(model.config, 1, 2);
    expect(() => model.forward(x, { cache })).toThrow(ValueError);
    expect(() => model.forward(ids([1, 2], 2), { cache })).toThrow(ValueError);
    expect(cache.length).toBe(0);
  });
});
