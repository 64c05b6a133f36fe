/** `using` frees all that a thing owns, and `tidy` covers the tensors that it makes meanwhile. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import {
  type Backend,
  getBackend,
  key,
  ones,
  setBackend,
  tensor,
  tidy,
  vjp,
} from '@loretta-ts/core';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  AdamW,
  Decoder,
  DecodeSession,
  Embedding,
  GradAccumulator,
  Linear,
  makeCache,
  Param,
  SGD,
  VqTrainer,
  VqVae,
} from '../src/index';

let backend: Backend;
const live = (): number => backend.memory().buffers;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

const config = { vocab: 8, dim: 8, layers: 1, heads: 2, maxLength: 8 } as const;
const shape = { size: [6], channels: 2, codes: 4, hidden: 4, blocks: 1, levels: 1, dim: 2 };

/** Makes a thing out of others that live longer. */
const makers: Readonly<Record<string, (model: Decoder, vq: VqVae) => Disposable>> = {
  Param: () => new Param(ones([2, 3])),
  Linear: () => new Linear(2, 3, { key: key(0), bias: true }),
  Embedding: () => new Embedding(4, 2, { key: key(0) }),
  Decoder: () => new Decoder(config, key(0)),
  VqVae: () => new VqVae(shape, key(0)),
  AdamW: (model) => new AdamW(model.namedParameters(), { lr: 1e-3 }),
  SGD: (model) => new SGD(model.namedParameters(), { lr: 1e-3, momentum: 0.9 }),
  VqTrainer: (_, vq) => new VqTrainer(vq, new Float32Array(24), { steps: 2, batch: 2 }),
  GradAccumulator(model) {
    const sums = new GradAccumulator(model.parameters());
    tidy(() => sums.add({ get: (param) => ones(param.shape) }, 3));
    return sums;
  },
  DecoderCache: (model) => makeCache(model.config, 2, 4),
  DecodeSession(model) {
    const prompt = tensor([[1, 2]], { dtype: 'i32' });
    const session = new DecodeSession(model, prompt, { maxNewTokens: 2, temperature: 0 });
    session.sample().dispose();
    prompt.dispose();
    return session;
  },
  pullback() {
    const x = ones([3]);
    const back = vjp((y) => y.mul(y).sum(), x);
    back.value.dispose();
    x.dispose();
    return back;
  },
};

describe.each(Object.entries(makers))('%s', (_, make) => {
  it('gives back what it took, at the end of its block', () => {
    const model = new Decoder(config, key(0));
    const vq = new VqVae(shape, key(0));
    const before = live();
    {
      using thing = make(model, vq);
      expect(thing).toBeDefined();
      expect(live()).toBeGreaterThan(before);
    }
    expect(live()).toBe(before);
  });

  it('gives it back when the block throws', () => {
    const model = new Decoder(config, key(0));
    const vq = new VqVae(shape, key(0));
    const before = live();
    const work = (): void => {
      using _ = make(model, vq);
      throw new Error('enough');
    };
    expect(work).toThrow('enough');
    expect(live()).toBe(before);
  });
});

it.each([
  ['cpu', () => cpu({ threads: 1 })],
  ['reference', referenceBackend],
] as const)('the %s backend ends with its block', async (_, make) => {
  let x = null;
  const before = getBackend();
  {
    await using owned = make();
    x = tensor([1, 2], { backend: owned });
    expect(x.backend).toBe(owned);
  }
  expect(() => x.dataSync()).toThrow();
  expect(getBackend()).toBe(before);
});
