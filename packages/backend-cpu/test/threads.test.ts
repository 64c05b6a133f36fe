import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  adamw,
  attention,
  type Backend,
  concat,
  crossEntropy,
  embedding,
  exp,
  full,
  gelu,
  iota,
  key,
  layerNorm,
  logSoftmax,
  lt,
  matmul,
  neg,
  normal,
  permute,
  remainder,
  rmsNorm,
  rope,
  selectiveScan,
  setBackend,
  silu,
  softmax,
  softplus,
  sum,
  swiglu,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
  where,
} from '@loretta-ts/core';
import { afterAll, describe, expect, it } from 'vitest';
import { cpu } from '../src/index';
import './kernel-harness';

const x = (seed: number, ...shape: number[]): Tensor => normal(key(seed), shape);

/** i32[n] in [0, limit), in a mixed order. */
const ids = (n: number, limit: number): Tensor => remainder(iota(n).mul(7919), limit);

/** Gradients of all inputs, weighted so that each element has a slope of its own. */
function grads(inputs: Tensor[], fn: (...xs: Tensor[]) => Tensor): Tensor[] {
  const made = valueAndGrad(inputs, () => {
    const y = fn(...inputs);
    return sum(y.mul(x(99, ...y.shape)));
  });
  return inputs.map((t) => made.grads.get(t));
}

/** Work that is cut: each is more than 100 µs on one thread. */
const cases: readonly (readonly [string, () => Tensor[]])[] = [
  ['matmul', () => [matmul(x(0, 515, 130), x(1, 130, 201))]],
  ['matmul, wide', () => [matmul(x(0, 67, 130), x(1, 130, 1030))]],
  ['matmul, A stored transposed', () => [matmul(x(0, 300, 131), x(1, 300, 77), { transA: true })]],
  ['matmul, B stored transposed', () => [matmul(x(0, 515, 130), x(1, 201, 130), { transB: true })]],
  ['matmul, batched', () => [matmul(x(0, 9, 70, 65), x(1, 9, 65, 71))]],
  ['matmul, one row', () => [matmul(x(0, 1, 700), x(1, 700, 3001))]],
  ['matmul, one row of dots', () => [matmul(x(0, 3, 701), x(1, 2001, 701), { transB: true })]],
  [
    'add, bias and scalar',
    () => [
      x(0, 999, 333)
        .add(x(1, 333))
        .mul(3)
        .sub(x(2, 999, 333)),
    ],
  ],
  ['columns times rows', () => [x(0, 700, 1).mul(x(1, 1, 701))]],
  ['exp', () => [exp(x(0, 70001))]],
  ['where', () => [where(lt(x(0, 300001), 0), x(1, 300001), 0)]],
  ['cast', () => [x(0, 400001).mul(9).cast('i32').cast('f32')]],
  ['sum of rows and columns', () => [sum(x(0, 1999, 333), 1), sum(x(0, 1999, 333), 0)]],
  ['permute', () => [permute(x(0, 70, 31, 205), [2, 0, 1])]],
  ['concat', () => [concat([x(0, 1500, 300), x(1, 1500, 301)], 1)]],
  [
    'gelu, silu, swiglu',
    () => [gelu(x(0, 70001)), silu(x(1, 70001)), swiglu(x(2, 70001), x(3, 70001))],
  ],
  ['softmax', () => [softmax(x(0, 501, 333)), logSoftmax(x(0, 501, 333))]],
  [
    'their gradients',
    () => [
      ...grads([x(0, 70003)], (a) => gelu(a)),
      ...grads([x(0, 70003), x(1, 70003)], (a, b) => swiglu(a, b)),
      ...grads([x(0, 501, 333)], (a) => softmax(a)),
      ...grads([x(0, 501, 333)], (a) => logSoftmax(a)),
    ],
  ],
  [
    'layerNorm',
    () => grads([x(0, 999, 203), x(1, 203), x(2, 203)], (a, w, b) => layerNorm(a, w, b)),
  ],
  ['rmsNorm', () => grads([x(0, 999, 203), x(1, 203)], (a, w) => rmsNorm(a, w))],
  [
    'crossEntropy',
    () => {
      const targets = ids(999, 203);
      return [
        crossEntropy(x(0, 999, 203), targets),
        ...grads([x(0, 999, 203)], (a) => crossEntropy(a, targets)),
      ];
    },
  ],
  ['rope', () => [rope(x(0, 5, 67, 4, 32), iota(67))]],
  ['embedding', () => [embedding(x(0, 500, 401), ids(4001, 500))]],
  [
    'attention',
    () =>
      grads([x(0, 3, 131, 6, 20), x(1, 3, 131, 2, 20), x(2, 3, 131, 2, 24)], (q, k, v) =>
        attention(q, k, v, { causal: true, window: 70 }),
      ),
  ],
  [
    'attention with a bias',
    () =>
      grads(
        [x(0, 2, 90, 4, 20), x(1, 2, 90, 4, 20), x(2, 2, 90, 4, 20), x(3, 1, 1, 90, 90)],
        (q, k, v, bias) => attention(q, k, v, { bias }),
      ),
  ],
  [
    'a scan and its gradient',
    () =>
      grads(
        [x(0, 6, 40, 67), x(1, 6, 40, 67), x(2, 40, 5), x(3, 6, 67, 5), x(4, 6, 67, 5)],
        (u, delta, a, b, c) => selectiveScan(u, softplus(delta), neg(exp(a)), b, c),
      ),
  ],
  [
    'adamw',
    () => {
      const [p, g, m, v] = [0, 1, 2, 3].map((s) => x(s, 90001));
      const hyper = tensor([0.01, 0.1, 0.001, 1, 0.1]);
      return [...adamw(p!, g!, m!, v!.mul(v!), hyper, { beta1: 0.9, beta2: 0.999, eps: 1e-8 })];
    },
  ],
];

describe.each(['simd', 'relaxed-simd'] as const)('threads, %s', (simd) => {
  const backends: Backend[] = [];
  const run = async (threads: number, make: () => Tensor[]): Promise<Uint8Array[]> => {
    const backend = cpu({ simd, threads });
    backends.push(backend);
    expect(backend.info().threads).toBe(threads);
    setBackend(backend);
    const made = tidy(make).map((t) => t.keep());
    return Promise.all(made.map(async (t) => new Uint8Array((await t.data()).buffer)));
  };
  afterAll(async () => {
    for (const backend of backends) await backend.dispose();
  });

  it.each(cases)('%s: results do not depend on the number of threads', async (_name, make) => {
    const one = await run(1, make);
    for (const threads of [2, 5]) {
      const many = await run(threads, make);
      many.forEach((bytes, i) => {
        expect(Buffer.compare(bytes, one[i]!)).toBe(0);
      });
    }
  });
});

describe('workers', () => {
  const loader = fileURLToPath(new URL('../../../scripts/ts-loader.mjs', import.meta.url));
  const node = (code: string): string =>
    execFileSync(
      process.execPath,
      ['--conditions=loretta-source', '--import', loader, '--input-type=module', '-e', code],
      { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8', timeout: 50_000 },
    );
  const program = (then: string): string => `
    import { cpu } from '@loretta-ts/backend-cpu';
    import { full, matmul, setBackend } from '@loretta-ts/core';
    const backend = cpu({ simd: 'simd', threads: 3 });
    setBackend(backend);
    const a = full([600, 600], 1);
    for (let i = 0; i < 30; i++) {
      const c = matmul(a, a);
      if (c.dataSync().some((v) => v !== 600)) throw new Error('wrong');
      c.dispose();
      await new Promise((done) => setTimeout(done, 5));
    }
    ${then}`;

  it('let a process that is done exit by itself', () => {
    expect(node(program("console.log('done')"))).toBe('done\n');
  });

  it('end with the backend', () => {
    expect(node(program("await backend.dispose(); console.log('done')"))).toBe('done\n');
  });
});

describe('refusals', () => {
  it('names what is wrong with the number of threads', () => {
    for (const threads of [0, 1.5, 17, Number.NaN]) {
      expect(() => cpu({ threads })).toThrow(/threads is .*'auto', or an integer from 1 to 16/);
    }
  });

  it('runs on one thread without shared memory, and says so', () => {
    const kept = globalThis.SharedArrayBuffer;
    Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
    try {
      const backend = cpu({ simd: 'simd', threads: 4 });
      expect(backend.info()).toMatchObject({
        threads: 1,
        fallbackReason: 'one thread: there is no SharedArrayBuffer',
      });
      setBackend(backend);
      expect([...full([3], 2).dataSync()]).toEqual([2, 2, 2]);
    } finally {
      globalThis.SharedArrayBuffer = kept;
    }
  });
});
