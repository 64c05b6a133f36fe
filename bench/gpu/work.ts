/** What each mode is timed on, in Node and in a page: milliseconds of one run, read back at its end. */
import { add, type Backend, matmul, ones, setBackend, tensor, tidy } from '@loretta-ts/core';
import { generate } from '@loretta-ts/nn';
import { makeDecoder, makeTrainStep } from '../lib/model';

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

/** Weights of the decoder by name, for peers that start from the same. */
export async function weights(
  backend: Backend,
): Promise<Record<string, { shape: number[]; data: number[] }>> {
  setBackend(backend);
  const model = makeDecoder(MODEL);
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

function train(captured: boolean): Work {
  const made = makeTrainStep(MODEL, captured);
  return {
    async run() {
      const loss = made.loss();
      const value = await loss.item();
      loss.dispose();
      return value;
    },
    free: () => made.dispose(),
  };
}

function generation(): Work {
  const model = makeDecoder(MODEL);
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
