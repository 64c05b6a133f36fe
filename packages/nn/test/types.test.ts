/** What the compiler accepts and refuses. `tsc` checks the lines; the functions here are never called. */
import { type Abortable, key, type Tensor } from '@loretta-ts/core';
import { describe, expectTypeOf, it } from 'vitest';
import {
  AdamW,
  Decoder,
  type DecoderCache,
  type DecoderConfig,
  type DecodeSession,
  type Generated,
  type GenerateOptions,
  type GradAccumulator,
  generate,
  generateFixed,
  generateLatents,
  generateLatentsStream,
  generateStream,
  type HostTensor,
  Linear,
  type MixerKind,
  type Module,
  type Optimizer,
  type Param,
  parseNpy,
  type PositionKind,
  serializeNpy,
  trainVqVae,
  type VqTrainer,
  VqVae,
  type VqStepReport,
} from '../src/index';
import { loadNpy, saveNpy } from '../src/node';

const checked = (_: (x: Tensor, model: Decoder) => void): void => undefined;
const size = { vocab: 8, dim: 8, layers: 1, heads: 2, maxLength: 8 } as const;

describe('configurations', () => {
  it('of a decoder', () => {
    expectTypeOf<MixerKind>().toEqualTypeOf<'attention' | 'mamba' | 'hyena'>();
    expectTypeOf<PositionKind>().toEqualTypeOf<'rope' | 'learned' | 'within-block'>();
    expectTypeOf(size).toExtend<DecoderConfig>();
    checked(() => {
      new Decoder({ ...size, mixer: 'hyena' }, key(0));
      // @ts-expect-error
      new Decoder({ ...size, mixer: 'foo' }, key(0));
      // @ts-expect-error
      new Decoder({ ...size, positions: 'rotary' }, key(0));
      // @ts-expect-error
      new Decoder({ ...size, positions: ['rope', 'absolute'] }, key(0));
      // @ts-expect-error
      new Decoder({ ...size, norm: 'batch' }, key(0));
      // @ts-expect-error
      new Decoder({ ...size, mlp: 'relu' }, key(0));
      // @ts-expect-error: weights are floats
      new Decoder({ ...size, dtype: 'i32' }, key(0));
      // @ts-expect-error: a key, not a seed
      new Decoder(size, 0);
      // @ts-expect-error: maxLength is missing
      new Decoder({ vocab: 8, dim: 8, layers: 1 }, key(0));
      // @ts-expect-error
      new Decoder({ ...size, hidden: 3 }, key(0));
    });
  });

  it('of layers, optimisers and autoencoders', () => {
    checked((_, model) => {
      new Linear(2, 3, { key: key(0), bias: true });
      // @ts-expect-error: no weights without a key
      new Linear(2, 3, { bias: true });
      new AdamW(model.namedParameters(), { lr: 1e-3, betas: [0.9, 0.95] });
      // @ts-expect-error
      new AdamW(model.namedParameters(), { lr: 1e-3, betas: [0.9] });
      // @ts-expect-error: parameters with their names
      new AdamW(model.parameters(), { lr: 1e-3 });
      // @ts-expect-error
      new AdamW(model.namedParameters(), { lr: '1e-3' });
      // @ts-expect-error
      new VqVae({ size: [4], channels: 1, codes: 2, quantizer: 'fsq' }, key(0));
    });
  });
});

describe('generation', () => {
  it('at once, token by token and as a stream', () => {
    expectTypeOf(generate).returns.resolves.toEqualTypeOf<Generated>();
    expectTypeOf(generateFixed).returns.toEqualTypeOf<Tensor>();
    expectTypeOf(generateStream).returns.toExtend<AsyncIterable<Int32Array>>();
    expectTypeOf(generateLatents).returns.toEqualTypeOf<Tensor>();
    expectTypeOf(generateLatentsStream).returns.toExtend<AsyncIterable<Float32Array>>();
    expectTypeOf(trainVqVae).returns.toExtend<AsyncIterable<VqStepReport>>();
    expectTypeOf<Generated['logits']>().toEqualTypeOf<Tensor | null>();
    expectTypeOf<GenerateOptions>().toExtend<Abortable>();
  });

  it('takes options by name', () => {
    checked((x, model) => {
      const { signal } = new AbortController();
      void generate(model, x, { maxNewTokens: 2, temperature: 0, signal });
      void generate(model, x, { maxNewTokens: 2, signal: undefined });
      // @ts-expect-error
      void generate(model, x, { maxNewTokens: 2, temprature: 0 });
      // @ts-expect-error
      void generate(model, x, { temperature: 0 });
      // @ts-expect-error: a number is no key
      void generate(model, x, { maxNewTokens: 2, key: 1 });
      // @ts-expect-error: ranges are pairs
      void generate(model, x, { maxNewTokens: 2, allowed: [[0, 1, 2]] });
      // @ts-expect-error
      void generate(model, x, { maxNewTokens: 2, guidance: { scale: 2 } });
      // @ts-expect-error
      void generate(model, [1, 2, 3], { maxNewTokens: 2 });
    });
  });
});

it('everything that owns tensors is disposable', () => {
  expectTypeOf<Param>().toExtend<Disposable>();
  expectTypeOf<Module>().toExtend<Disposable>();
  expectTypeOf<Optimizer>().toExtend<Disposable>();
  expectTypeOf<GradAccumulator>().toExtend<Disposable>();
  expectTypeOf<DecodeSession>().toExtend<Disposable>();
  expectTypeOf<DecoderCache>().toExtend<Disposable>();
  expectTypeOf<VqTrainer>().toExtend<Disposable>();
});

it('files of NumPy go through arrays of the host', () => {
  expectTypeOf(parseNpy).returns.toEqualTypeOf<HostTensor>();
  expectTypeOf(serializeNpy).parameters.toEqualTypeOf<[tensor: HostTensor]>();
  expectTypeOf(loadNpy).returns.resolves.toEqualTypeOf<HostTensor>();
  expectTypeOf(saveNpy).parameter(1).toEqualTypeOf<Tensor | HostTensor>();
  checked((x) => {
    // @ts-expect-error: a tensor is read back first
    serializeNpy(x);
    // @ts-expect-error
    serializeNpy({ dtype: 'f4', shape: [1], data: new Float32Array(1) });
  });
});
