/** A decoder of one block trains on the GPU backend as it does on the CPU backend. */
import { cpu } from '@loretta-ts/backend-cpu';
import {
  adamw,
  add,
  attention,
  type Backend,
  capture,
  crossEntropy,
  embedding,
  hostRandom,
  matmul,
  mean,
  reshape,
  rmsNorm,
  swiglu,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
  withBackend,
} from '@loretta-ts/core';
import { describe, expect, it } from 'vitest';
import { gpu } from '../src/index';
import { availableModes } from './modes';

const vocab = 11;
const width = 8;
const heads = 2;
const hidden = 12;
const batch = 3;
const length = 6;
const steps = 8;
const adam = { beta1: 0.9, beta2: 0.95, eps: 1e-8 };

const shapes = {
  table: [vocab, width],
  norm1: [width],
  wq: [width, width],
  wk: [width, width],
  wv: [width, width],
  wo: [width, width],
  norm2: [width],
  gate: [width, hidden],
  up: [width, hidden],
  down: [hidden, width],
} as const;
type Name = keyof typeof shapes;
const names = Object.keys(shapes) as Name[];

interface Parameter {
  value: Tensor;
  m: Tensor;
  v: Tensor;
}

function parameters(): Record<Name, Parameter> {
  const random = hostRandom(3);
  const one = (name: Name): Parameter => {
    const shape = shapes[name];
    const size = shape.reduce((n: number, d) => n * d, 1);
    const values = Float32Array.from({ length: size }, () =>
      name.startsWith('norm') ? 1 : random.uniform() - 0.5,
    );
    const zeros = () => tensor(new Float32Array(size), { shape });
    return { value: tensor(values, { shape }), m: zeros(), v: zeros() };
  };
  return Object.fromEntries(names.map((n) => [n, one(n)])) as Record<Name, Parameter>;
}

function loss(p: Record<Name, Parameter>, ids: Tensor, targets: Tensor): Tensor {
  const split = (x: Tensor, w: Name) =>
    reshape(matmul(x, p[w].value), [batch, length, heads, width / heads]); // [b, t, h, d]
  let x = embedding(p.table.value, ids); // [b, t, width]
  const n1 = rmsNorm(x, p.norm1.value);
  const seen = attention(split(n1, 'wq'), split(n1, 'wk'), split(n1, 'wv'), { causal: true });
  x = add(x, matmul(reshape(seen, [batch, length, width]), p.wo.value));
  const n2 = rmsNorm(x, p.norm2.value);
  x = add(x, matmul(swiglu(matmul(n2, p.gate.value), matmul(n2, p.up.value)), p.down.value));
  const logits = matmul(x, p.table.value, { transB: true }); // [b, t, vocab]
  return mean(crossEntropy(logits, targets));
}

/** Losses of the steps; `captured` replays the step after the first. */
async function train(backend: Backend, captured: boolean): Promise<number[]> {
  const { p, step, ids, targets } = withBackend(backend, () => {
    const p = parameters();
    const random = hostRandom(5);
    const next = () =>
      Int32Array.from({ length: batch * length }, () => Math.floor(random.uniform() * vocab));
    const shape = [batch, length];
    const body = (ids: Tensor, targets: Tensor, hyper: Tensor): Tensor => {
      const { value, grads } = valueAndGrad(
        names.map((n) => p[n]),
        () => loss(p, ids, targets),
      );
      for (const n of names) {
        const { value: w, m, v } = p[n];
        const [w2, m2, v2] = adamw(w, grads.get(p[n]), m, v, hyper, adam);
        Object.assign(p[n], { value: w2, m: m2, v: v2 });
      }
      return value;
    };
    return { p, step: body, ids: tensor(next(), { shape }), targets: tensor(next(), { shape }) };
  });
  const state = names.flatMap((n) =>
    (['value', 'm', 'v'] as const).map((field) => ({
      get value(): Tensor {
        return p[n][field];
      },
      set value(t: Tensor) {
        p[n][field] = t;
      },
    })),
  );
  const program = captured ? withBackend(backend, () => capture(step, { state })) : null;
  const losses: number[] = [];
  for (let t = 1; t <= steps; t++) {
    const value = withBackend(backend, () => {
      const hyper = tensor([0.02, 1 - adam.beta1 ** t, 1 - adam.beta2 ** t, 1, 0.01]);
      const before = state.map((s) => s.value);
      const result =
        program?.call(ids, targets, hyper) ??
        tidy(() => {
          const result = step(ids, targets, hyper);
          for (const s of state) s.value.keep();
          return result;
        });
      if (program === null) for (const w of before) w.dispose();
      hyper.dispose();
      return result;
    });
    losses.push(Number((await value.data())[0]));
    value.dispose();
  }
  program?.dispose();
  for (const t of [ids, targets, ...state.map((s) => s.value)]) t.dispose();
  return losses;
}

const modes = await availableModes();

describe.each(modes)('mode %s', (mode) => {
  it('trains as the CPU does, eagerly and captured', { timeout: 120_000 }, async () => {
    const reference = cpu();
    const backend = await gpu({ mode, require: true });
    const want = await train(reference, false);
    expect(want[steps - 1]!).toBeLessThan(0.85 * want[0]!);
    for (const captured of [false, true]) {
      const got = await train(backend, captured);
      for (const [t, w] of want.entries()) {
        expect(Math.abs(got[t]! - w) / w, `step ${t}, captured: ${captured}`).toBeLessThan(1e-4);
      }
      expect(backend.memory().buffers).toBe(0);
    }
    expect(backend.memory().bytes).toBe(0);
    await backend.dispose();
    await reference.dispose();
  });
});
