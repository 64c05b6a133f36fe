/** What each mode is timed on, in Node and in a page: milliseconds of one run, read back at its end. */
import {
  add,
  type Backend,
  capture,
  key,
  matmul,
  ones,
  setBackend,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import { AdamW, crossEntropyLoss, Decoder, generate } from '@loretta-ts/nn';

/** Sizes of the decoder: GPT-2's form. */
export const MODEL = { vocab: 64, layers: 2, dim: 64, heads: 4, ffDim: 256, length: 32, batch: 8 };
/** Launches of the dispatch cost, side of the product, tokens that are generated. */
export const SIZES = { launches: 100, elements: 4096, side: 256, tokens: 16 };

/** One thing that is timed. */
export interface Work {
  /** Once; what it returns is compared between contestants. */
  run(): Promise<number>;
  free(): void;
}

export type WorkName = 'dispatch' | 'gemm' | 'train' | 'generate';
export const WORKS: readonly WorkName[] = ['dispatch', 'gemm', 'train', 'generate'];

function decoder(): Decoder {
  const { vocab, layers, dim, heads, ffDim, length } = MODEL;
  return new Decoder(
    {
      ...{ vocab, layers, dim, heads, ffDim, maxLength: length },
      ...{ norm: 'layer', mlp: 'gelu', positions: 'learned', bias: true },
    },
    key(0),
  );
}

/** Weights of the decoder by name, for peers that start from the same. */
export async function weights(
  backend: Backend,
): Promise<Record<string, { shape: number[]; data: number[] }>> {
  setBackend(backend);
  const model = decoder();
  const out: Record<string, { shape: number[]; data: number[] }> = {};
  for (const [name, t] of model.stateDict()) {
    out[name] = { shape: [...t.shape], data: [...(await t.data())] };
  }
  model.dispose();
  return out;
}

function dispatch(): Work {
  // large enough that no framework does it on the host
  const x = ones([SIZES.elements]);
  return {
    async run() {
      const y = tidy(() => {
        let z = x;
        for (let i = 0; i < SIZES.launches; i++) z = add(z, x);
        return z;
      });
      const [first] = await y.data();
      y.dispose();
      return Number(first);
    },
    free: () => x.dispose(),
  };
}

function gemm(): Work {
  const { side } = SIZES;
  const pattern = (seed: number) =>
    tensor(
      Float32Array.from({ length: side * side }, (_, i) => (((i * 31 + seed) % 17) - 8) / 8),
      {
        shape: [side, side],
      },
    );
  const [a, b] = [pattern(1), pattern(2)];
  return {
    async run() {
      const c = matmul(a, b);
      const values = await c.data();
      c.dispose();
      return Number(values.at(-1));
    },
    free() {
      for (const t of [a, b]) t.dispose();
    },
  };
}

/** A captured step of AdamW on one batch; `captured` false runs it op by op. */
function train(captured: boolean): Work {
  const { vocab, batch, length } = MODEL;
  const model = decoder();
  const optimizer = new AdamW(model.namedParameters(), { lr: 1e-3, weightDecay: 0.01 });
  const n = batch * length;
  const sequence = Int32Array.from({ length: n + 1 }, (_, i) => (i * 7919) % vocab);
  const shape = [batch, length];
  const ids = tensor(sequence.slice(0, n), { shape, dtype: 'i32' });
  const targets = tensor(sequence.slice(1), { shape, dtype: 'i32' });
  const body = (x: typeof ids, y: typeof ids, decayed: typeof ids, plain: typeof ids) => {
    const { value, grads } = valueAndGrad(model.parameters(), () =>
      crossEntropyLoss(model.logits(model.forward(x)), y),
    );
    optimizer.apply(grads, [decayed, plain]);
    return value;
  };
  const program = captured ? capture(body, { state: optimizer.leaves() }) : null;
  return {
    async run() {
      const hypers = optimizer.hypers();
      const loss =
        program?.call(ids, targets, ...hypers) ?? tidy(() => body(ids, targets, ...hypers));
      const value = await loss.item();
      for (const t of [loss, ...hypers]) t.dispose();
      return value;
    },
    free() {
      program?.dispose();
      optimizer.dispose();
      model.dispose();
      for (const t of [ids, targets]) t.dispose();
    },
  };
}

function generation(): Work {
  const model = decoder();
  const prompt = tensor(Int32Array.of(0), { shape: [1, 1], dtype: 'i32' });
  return {
    async run() {
      const made = await generate(model, prompt, { maxNewTokens: SIZES.tokens, temperature: 0 });
      const last = (await made.tokens.data()).at(-1);
      for (const t of [made.ids, made.tokens]) t.dispose();
      return Number(last);
    },
    free() {
      prompt.dispose();
      model.dispose();
    },
  };
}

/** Makes the work on a backend. */
export function makeWork(backend: Backend, name: WorkName, captured = true): Work {
  setBackend(backend);
  const works = { dispatch, gemm, train: () => train(captured), generate: generation };
  return works[name]();
}

/** Milliseconds of a run: the least of what fits into `budget`, three at least after two to warm up. */
export async function timed(
  work: Pick<Work, 'run'>,
  budget: number,
): Promise<{ ms: number; check: number }> {
  const check = await work.run();
  await work.run();
  const until = performance.now() + budget;
  let ms = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3 || performance.now() < until; i++) {
    const start = performance.now();
    await work.run();
    ms = Math.min(ms, performance.now() - start);
  }
  return { ms, check };
}
