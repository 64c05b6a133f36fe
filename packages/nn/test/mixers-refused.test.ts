/** What does not go with a mixer is refused before anything is allocated. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { key, setBackend, type Tensor, tensor, ValueError } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { Decoder, type DecoderConfig, makeCache, resolveDecoderConfig } from '../src/index';

const base: DecoderConfig = {
  ...{ vocab: 11, dim: 8, layers: 2, heads: 2, kvHeads: 1, maxLength: 24 },
  ...{ dtype: 'f64', initStd: 0.3 },
};

const ids = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(rows.flat(), { shape: [rows.length, rows[0]!.length], dtype: 'i32' });

describe('what does not go together is refused', () => {
  beforeAll(() => setBackend(referenceBackend()));
  const x = (): Tensor => ids([[1, 2, 3]]);
  const of = (more: Partial<DecoderConfig>): Decoder => new Decoder({ ...base, ...more }, key(0));

  it.each([
    ['positions', { mixer: 'mamba', positions: 'rope' }],
    ['positions', { mixer: 'hyena', positions: ['learned', 'rope'] }],
    ['window', { mixer: 'mamba', window: 3 }],
    ['heads', { mixer: 'attention', heads: undefined }],
    ['expand', { mixer: 'mamba', expand: 0 }],
    ['stateDim', { mixer: 'mamba', stateDim: 1.5 }],
    ['dtRank', { mixer: 'mamba', dtRank: 0 }],
    ['convKernel', { mixer: 'hyena', convKernel: 0 }],
    ['filterDim', { mixer: 'hyena', filterDim: -1 }],
    ['mixer', { mixer: 'rwkv' }],
  ])('a configuration: %s of %j', (field, more) => {
    const wrong = { ...base, ...more } as DecoderConfig;
    expect(() => resolveDecoderConfig(wrong)).toThrow(ValueError);
    expect(() => resolveDecoderConfig(wrong)).toThrow(`Decoder: ${field} `);
  });

  it('segments and masks where a mixer has no place for them', () => {
    const mask = tensor([1], { shape: [1, 1], dtype: 'bool' });
    const segments = ids([[0, 0, 1]]);
    expect(() => of({ mixer: 'hyena' }).forward(x(), { segments })).toThrow('segments do not go');
    for (const mixer of ['mamba', 'hyena'] as const) {
      expect(() => of({ mixer }).forward(x(), { mask })).toThrow(`mixer '${mixer}' has no place`);
    }
    const model = of({ window: 2 });
    using cache = makeCache(model.config, 1);
    expect(() => model.forward(x(), { mask, cache })).toThrow('a rolling cache has no place');
  });

  it('caches of another mixer, and of no size', () => {
    const [attention, mamba] = [of({}), of({ mixer: 'mamba' })];
    using keys = makeCache(attention.config, 1);
    using state = makeCache(mamba.config, 1);
    expect(() => mamba.forward(x(), { cache: keys })).toThrow(
      "of mixer 'attention', not of 'mamba'",
    );
    expect(() => attention.forward(x(), { cache: state })).toThrow('makeCache');
    expect(() => makeCache(mamba.config, 0)).toThrow('batch is 0');
    expect(() => makeCache(mamba.config, 1, Number.NaN)).toThrow('maxLength is NaN');
  });

  it('more tokens than Hyena has filter values for', () => {
    const model = of({ mixer: 'hyena', maxLength: 2 });
    expect(() => model.forward(x())).toThrow('3 tokens, but');
    expect(() => makeCache(model.config, 1, 3)).toThrow('have 2 values (maxLength)');
  });
});
