/** Quantizers: nearest codes, moving averages, revival, and gradients of what is not differentiable. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import {
  add,
  embedding,
  gumbel,
  key,
  mul,
  normal,
  ShapeError,
  setBackend,
  sin,
  softmax,
  sum,
  type Tensor,
  tensor,
  ValueError,
  valueAndGrad,
} from '@loretta-ts/core';
import { gradcheck } from '@loretta-ts/core/testing';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { GumbelQuantizer, nearestCode, perplexity, VectorQuantizer } from '../src/index';

beforeAll(() => setBackend(referenceBackend()));

const numbers = async (t: Tensor): Promise<number[]> => Array.from(await t.data());

/** Vectors and codes of one width, from a grid that has ties. */
const vectors = fc
  .record({ n: fc.integer({ min: 1, max: 12 }), k: fc.integer({ min: 1, max: 7 }) })
  .chain(({ n, k }) =>
    fc.integer({ min: 1, max: 4 }).chain((d) => {
      const grid = fc.integer({ min: -8, max: 8 }).map((x) => x / 4);
      return fc.record({
        z: fc.array(grid, { minLength: n * d, maxLength: n * d }),
        codes: fc.array(grid, { minLength: k * d, maxLength: k * d }),
        n: fc.constant(n),
        k: fc.constant(k),
        d: fc.constant(d),
      });
    }),
  );

type Vectors = typeof vectors extends fc.Arbitrary<infer T> ? T : never;

const tensorsOf = ({ z, codes, n, k, d }: Vectors): [z: Tensor, codes: Tensor] => [
  tensor(z, { shape: [n, d], dtype: 'f64' }),
  tensor(codes, { shape: [k, d], dtype: 'f64' }),
];

/** A quantizer that holds these codes, each counted once. */
function holding(
  codes: Tensor,
  options: { readonly decay?: number | null; readonly revive?: number } = {},
): VectorQuantizer {
  const [k, d] = codes.shape as [number, number];
  const made = new VectorQuantizer({ codes: k, dim: d, dtype: 'f64', key: key(0), ...options });
  made.codebook.assign(add(codes, 0));
  made.ema_w?.assign(add(codes, 0));
  return made;
}

describe('the nearest code', () => {
  it('is nearest by brute force, the lowest of a tie', async () => {
    await fc.assert(
      fc.asyncProperty(vectors, async (v) => {
        const found = await nearestCode(...tensorsOf(v)).data();
        for (let i = 0; i < v.n; i++) {
          const distances = Array.from({ length: v.k }, (_, c) =>
            Array.from({ length: v.d }, (_, j) => (v.z[i * v.d + j]! - v.codes[c * v.d + j]!) ** 2),
          ).map((squares) => squares.reduce((a, b) => a + b, 0));
          expect(found[i]).toBe(distances.indexOf(Math.min(...distances)));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is within [0, K), and its perplexity within [1, K]', async () => {
    await fc.assert(
      fc.asyncProperty(vectors, async (v) => {
        const [z, codes] = tensorsOf(v);
        const q = holding(codes).forward(z);
        const ids = await q.indices.data();
        expect(ids.every((i) => Number.isInteger(i) && i >= 0 && i < v.k)).toBe(true);
        const p = await q.perplexity.item();
        expect(p).toBeGreaterThanOrEqual(1 - 1e-8);
        expect(p).toBeLessThanOrEqual(v.k + 1e-8);
        expect(await q.quantized.data()).toHaveLength(v.n * v.d);
      }),
      { numRuns: 40 },
    );
  });

  it('perplexity is 1 for one code and K for all alike', async () => {
    expect(await perplexity(tensor([3, 3, 3], { dtype: 'i32' }), 5).item()).toBeCloseTo(1, 6);
    const all = tensor([0, 1, 2, 3], { dtype: 'i32' });
    expect(await perplexity(all, 4, 'f64').item()).toBeCloseTo(4, 6);
  });

  it('keeps leading axes, and refuses other widths and nothing', () => {
    const quantizer = new VectorQuantizer({ codes: 3, dim: 2, key: key(1) });
    expect(quantizer.forward(normal(key(2), [2, 5, 2])).indices.shape).toEqual([2, 5]);
    expect(() => quantizer.forward(normal(key(2), [2, 3]))).toThrow(ShapeError);
    expect(() => quantizer.indices(tensor([], { shape: [0, 2], dtype: 'f32' }))).toThrow(
      ShapeError,
    );
  });
});

describe('gradients', () => {
  const z = () => normal(key(3), [6, 3], { dtype: 'f64' });
  const codes = () => normal(key(4), [4, 3], { dtype: 'f64' });
  const weights = () => normal(key(5), [6, 3], { dtype: 'f64' });
  /** Something curved after the quantizer. */
  const after = (q: Tensor): Tensor => sum(mul(sin(q), weights()));

  it('straight through: that of the identity at the chosen codes', async () => {
    const x = z();
    const quantizer = holding(codes());
    const { grads } = valueAndGrad([x], () => after(quantizer.forward(x).quantized));
    const chosen = embedding(quantizer.codebook.value, quantizer.indices(x));
    const identity = valueAndGrad([chosen], () => after(chosen));
    const [got, want] = [await numbers(grads.get(x)), await numbers(identity.grads.get(chosen))];
    expect(got.length).toBe(18);
    got.forEach((g, i) => {
      expect(g).toBeCloseTo(want[i]!, 12);
    });
  });

  it('the straight-through pass and both losses have the slopes of z + const and of the distances', async () => {
    const quantizer = holding(codes(), { decay: null });
    const start = z();
    const offset = quantizer.lookup(quantizer.indices(start)).sub(start);
    // a difference sees the step of the codes, the estimator must not: the surrogate holds the offset still
    const { grads } = valueAndGrad([start], () => {
      const q = quantizer.forward(start);
      return after(q.quantized).add(q.commitmentLoss);
    });
    const surrogate = valueAndGrad([start], () => {
      const moved = start.add(offset);
      const fixed = embedding(quantizer.codebook.value, quantizer.indices(start));
      return after(moved).add(start.sub(fixed).square().mean());
    });
    const want = await numbers(surrogate.grads.get(start));
    (await numbers(grads.get(start))).forEach((g, i) => {
      expect(g).toBeCloseTo(want[i]!, 12);
    });
    const indices = quantizer.indices(start);
    await gradcheck(
      (x) => after(x.add(offset)).add(x.sub(quantizer.lookup(indices)).square().mean()),
      [start],
    );
    // the codes' own loss is smooth where no vector changes its code
    await gradcheck(
      (table) => {
        const held = new VectorQuantizer({
          codes: 4,
          dim: 3,
          decay: null,
          dtype: 'f64',
          key: null,
        });
        held.loadStateDict(new Map([['codebook', table]]));
        const q = held.forward(start);
        held.dispose();
        return q.codebookLoss;
      },
      [codes()],
    );
  });

  it('the Gumbel relaxation with fixed noise', async () => {
    const logits = normal(key(6), [5, 4], { dtype: 'f64' });
    const quantizer = new GumbelQuantizer({ codes: 4, dim: 3, key: key(7), dtype: 'f64' });
    const mix = (x: Tensor, table: Tensor): Tensor[] => {
      const held = new GumbelQuantizer({ codes: 4, dim: 3, key: null, dtype: 'f64' });
      held.loadStateDict(new Map([['codebook', table]]));
      const q = held.forward(x, 0.7, key(8));
      held.dispose();
      return [q.quantized, q.kl];
    };
    await gradcheck(mix, [logits, add(quantizer.codebook.value, 0)], { order: 2 });
  });
});

describe('the Gumbel relaxation', () => {
  const logits = () => normal(key(9), [3, 5], { dtype: 'f64' });
  const quantizer = () => new GumbelQuantizer({ codes: 5, dim: 2, key: key(10), dtype: 'f64' });

  it('is softmax((logits + g) / τ) over the codes', async () => {
    const made = quantizer();
    const noise = gumbel(key(11), [3, 5], { dtype: 'f64' });
    const want = softmax(logits().add(noise).div(0.5)).matmul(made.codebook.value);
    const got = made.forward(logits(), 0.5, key(11)).quantized;
    expect(await numbers(got)).toEqual(await numbers(want));
  });

  it('becomes a single code as τ falls, and is the most probable one without a key', async () => {
    const made = quantizer();
    const cold = await numbers(made.forward(logits(), 1e-3, key(11)).quantized);
    const noisy = logits().add(gumbel(key(11), [3, 5], { dtype: 'f64' }));
    const drawn = await numbers(made.lookup(made.indices(noisy)));
    cold.forEach((x, i) => {
      expect(x).toBeCloseTo(drawn[i]!, 6);
    });
    const { quantized, indices } = made.forward(logits(), 1, null);
    expect(await numbers(quantized)).toEqual(await numbers(made.lookup(indices)));
  });

  it('has KL 0 for even logits and ln K for certain ones', async () => {
    const made = quantizer();
    const flat = tensor(new Float64Array(10).fill(2), { shape: [2, 5] });
    expect(await made.forward(flat, 1, null).kl.item()).toBeCloseTo(0, 12);
    const sure = tensor([0, 0, 800, 0, 0], { shape: [1, 5], dtype: 'f64' });
    expect(await made.forward(sure, 1, null).kl.item()).toBeCloseTo(Math.log(5), 12);
  });

  it('refuses other widths and temperatures', () => {
    expect(() => quantizer().forward(normal(key(1), [3, 4]), 1, null)).toThrow(ShapeError);
    for (const t of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => quantizer().forward(logits(), t, null)).toThrow(ValueError);
  });
});

describe('moving averages', () => {
  it('conserve mass: Σ N and Σ m move to those of the batch by 1 − γ', async () => {
    await fc.assert(
      fc.asyncProperty(vectors, fc.integer({ min: 0, max: 9 }), async (v, tenths) => {
        const decay = tenths / 10;
        const [z, codes] = tensorsOf(v);
        const quantizer = holding(codes, { decay });
        const before = await numbers(quantizer.ema_w!.value);
        quantizer.update(z, quantizer.indices(z), null);
        const counts = await numbers(quantizer.cluster_size!.value);
        const total = counts.reduce((a, b) => a + b, 0);
        expect(total).toBeCloseTo(decay * v.k + (1 - decay) * v.n, 9);
        const after = await numbers(quantizer.ema_w!.value);
        for (let j = 0; j < v.d; j++) {
          const column = (xs: readonly number[]): number =>
            xs.filter((_, i) => i % v.d === j).reduce((a, b) => a + b, 0);
          expect(column(after)).toBeCloseTo(decay * column(before) + (1 - decay) * column(v.z), 9);
        }
        expect((await numbers(quantizer.codebook.value)).every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('with γ = 0 a code is the mean of its vectors', async () => {
    const quantizer = holding(tensor([[0], [10]], { dtype: 'f64' }), { decay: 0 });
    const z = tensor([[1], [3], [9], [12], [12]], { dtype: 'f64' });
    quantizer.update(z, quantizer.indices(z), null);
    const [low, high] = await numbers(quantizer.codebook.value);
    expect(low).toBeCloseTo(2, 4);
    expect(high).toBeCloseTo(11, 4);
  });

  it('are saved, and no optimiser sees them', () => {
    const quantizer = new VectorQuantizer({ codes: 3, dim: 2, key: key(1) });
    expect([...quantizer.stateDict().keys()]).toEqual(['codebook', 'cluster_size', 'ema_w']);
    expect(quantizer.parameters()).toEqual([]);
    const trained = new VectorQuantizer({ codes: 3, dim: 2, decay: null, key: key(1) });
    expect([...trained.stateDict().keys()]).toEqual(['codebook']);
    expect(trained.parameters()).toHaveLength(1);
    expect(() => trained.update(normal(key(2), [4, 2]), tensor([0, 1, 2, 0]), null)).toThrow(
      ValueError,
    );
  });
});

describe('dead codes', () => {
  const rowsOf = (flat: readonly number[], d: number): string[] =>
    Array.from({ length: flat.length / d }, (_, i) => flat.slice(i * d, (i + 1) * d).join());

  it('revive from the batch, the others stay', async () => {
    const z = normal(key(20), [32, 2], { dtype: 'f64' });
    // codes 2 and 3 are far from everything
    const codes = tensor([0.5, 0, -0.5, 0, 90, 90, -90, 90], { shape: [4, 2], dtype: 'f64' });
    const quantizer = holding(codes, { decay: 0.5, revive: 0.1 });
    quantizer.cluster_size!.assign(tensor([8, 8, 0.01, 0.01], { dtype: 'f64' }));
    quantizer.update(z, quantizer.indices(z), key(21));
    const found = rowsOf(await numbers(quantizer.codebook.value), 2);
    const batch = rowsOf(await numbers(z), 2);
    expect(batch).toContain(found[2]);
    expect(batch).toContain(found[3]);
    expect(found[2]).not.toBe(found[3]);
    expect(batch).not.toContain(found[0]);
    expect((await numbers(quantizer.cluster_size!.value)).slice(2)).toEqual([8, 8]);
  });

  it('the same key draws the same vectors, another key others', async () => {
    const z = normal(key(22), [40, 3]);
    const drawn = async (seed: number): Promise<number[]> => {
      const quantizer = new VectorQuantizer({ codes: 5, dim: 3, key: key(1) });
      quantizer.initialise(z, key(seed));
      return await numbers(quantizer.codebook.value);
    };
    expect(await drawn(1)).toEqual(await drawn(1));
    expect(await drawn(1)).not.toEqual(await drawn(2));
    const rows = rowsOf(await drawn(1), 3);
    expect(new Set(rows).size).toBe(5);
    const batch = rowsOf(await numbers(z), 3);
    for (const row of rows) expect(batch).toContain(row);
  });

  it('a batch smaller than the codebook repeats its vectors', async () => {
    const quantizer = new VectorQuantizer({ codes: 5, dim: 1, key: key(1) });
    quantizer.initialise(tensor([[4], [7]]), key(3));
    const found = await numbers(quantizer.codebook.value);
    expect([...new Set(found)].sort()).toEqual([4, 7]);
  });

  it('need a key', () => {
    const quantizer = new VectorQuantizer({ codes: 2, dim: 1, revive: 0.1, key: key(1) });
    expect(() => quantizer.update(tensor([[1]]), tensor([0]), null)).toThrow(/key/);
  });
});

describe('options out of range', () => {
  it.each([
    [{ codes: 0 }],
    [{ dim: 1.5 }],
    [{ decay: 1 }],
    [{ decay: -0.1 }],
    [{ commitment: -1 }],
    [{ commitment: Number.NaN }],
    [{ eps: 0 }],
    [{ revive: 1 }],
    [{ revive: 0.1, decay: null }],
  ])('%j', (wrong) => {
    expect(() => new VectorQuantizer({ codes: 2, dim: 2, key: key(0), ...wrong })).toThrow(
      ValueError,
    );
  });
});
