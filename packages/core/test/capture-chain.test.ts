/** Captured chains of elementwise ops, run block by block. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import * as core from '../src';
import {
  add,
  type Backend,
  capture,
  exp,
  gt,
  type Kernels,
  mul,
  setBackend,
  sum,
  type Tensor,
  tensor,
  tidy,
  where,
} from '../src';

const block = 4;
/** Kernels that ran, with the size of their result. */
let ran: string[];
beforeEach(() => {
  ran = [];
  const plain = referenceBackend();
  const kernels = Object.fromEntries(
    Object.entries(plain.kernels).map(([name, kernel]) => [
      name,
      (...args: Parameters<Kernels['add']>) => {
        ran.push(`${name} ${args[1][0]!.size}`);
        (kernel as Kernels['add'])(...args);
      },
    ]),
  ) as unknown as Kernels;
  const backend: Backend = { ...plain, kernels, blockElements: block };
  setBackend(backend);
});

const values = (t: Tensor): number[] => [...t.dataSync()];
const range = (n: number, from = 0): Tensor =>
  tensor(Float32Array.from({ length: n }, (_, i) => ((i + from) * 37) % 11));

type Make = (known: readonly Tensor[]) => Tensor;

/** Ops on any of the values so far: of the long ones, and now and then of one element or of a reduced one. */
const program: fc.Arbitrary<readonly Make[]> = fc.array(
  fc
    .record({
      op: fc.constantFrom('add', 'mul', 'exp', 'where', 'scalar', 'reduced', 'half'),
      a: fc.nat(30),
      b: fc.nat(30),
    })
    .map(({ op, a, b }): Make => {
      const pick = (known: readonly Tensor[], i: number): Tensor => known[i % known.length]!;
      switch (op) {
        case 'add':
          return (k) => add(pick(k, a), pick(k, b));
        case 'mul':
          return (k) => mul(pick(k, a), 0.5);
        case 'exp':
          return (k) => exp(mul(pick(k, a), -0.01));
        case 'where':
          return (k) => where(gt(pick(k, a), pick(k, b)), pick(k, a), 1);
        case 'scalar':
          return (k) => add(pick(k, a), pick(k, b).narrow(0, 1, 1));
        case 'reduced':
          return (k) => mul(pick(k, a), exp(sum(pick(k, b), 0).mul(1e-9)));
        default: {
          // an op of other sizes in between, on views
          return (k) => {
            const [x, y] = [pick(k, a), pick(k, b)];
            const n = x.size - 1;
            const short = add(x.narrow(0, 1, n), y.narrow(0, 0, n)); // [n]
            return add(x, sum(short, 0));
          };
        }
      }
    }),
  { minLength: 1, maxLength: 12 },
);

describe('chains of elementwise ops', () => {
  it('run block by block, and give what they give eagerly', () => {
    using f = capture((x: Tensor, y: Tensor) => exp(add(mul(x, y), 1)));
    const [x, y] = [range(10), range(10, 3)];
    const eager = values(exp(add(mul(x, y), 1)));
    f.call(x, y);
    ran.length = 0;
    expect(values(f.call(x, y))).toEqual(eager);
    const once = (n: number): string[] => [`mul ${n}`, `add ${n}`, `exp ${n}`];
    expect(ran).toEqual([...once(4), ...once(4), ...once(2)]);
  });

  type Call = (x: Tensor) => Tensor;
  /** A function of an f32 tensor whose last op has the name of the row. */
  const pointwise: Readonly<Record<string, Call>> = {
    ...{ neg: core.neg, floor: core.floor, log: core.log, abs: core.abs, sign: core.sign },
    ...{ ceil: core.ceil, round: core.round, exp, expm1: core.expm1, log1p: core.log1p },
    ...{ sqrt: core.sqrt, rsqrt: core.rsqrt, reciprocal: core.reciprocal, square: core.square },
    ...{ sin: core.sin, cos: core.cos, tanh: core.tanh, sigmoid: core.sigmoid, erf: core.erf },
    ...{ softplus: core.softplus, relu: core.relu },
    ...{ isNaN: core.isNaN, isInf: core.isInf, isFinite: core.isFinite },
    add: (x) => add(x, x),
    sub: (x) => core.sub(x, x),
    mul: (x) => mul(x, x),
    div: (x) => core.div(x, x),
    maximum: (x) => core.maximum(x, x),
    minimum: (x) => core.minimum(x, x),
    pow: (x) => core.pow(x, x),
    atan2: (x) => core.atan2(x, x),
    remainder: (x) => core.remainder(x, x),
    eq: (x) => core.eq(x, x),
    ne: (x) => core.ne(x, x),
    lt: (x) => core.lt(x, x),
    le: (x) => core.le(x, x),
    gt: (x) => gt(x, x),
    ge: (x) => core.ge(x, x),
    and: (x) => core.and(gt(x, x), gt(x, x)),
    or: (x) => core.or(gt(x, x), gt(x, x)),
    xor: (x) => core.xor(gt(x, x), gt(x, x)),
    not: (x) => core.not(gt(x, x)),
    where: (x) => where(gt(x, x), x, x),
    cast: (x) => core.cast(x, 'i32'),
  };

  it.each(Object.keys(pointwise))('take %s in', (name) => {
    const call = (x: Tensor): Tensor => pointwise[name]!(mul(x, x));
    using f = capture(call);
    const eager = values(call(range(10)));
    f.call(range(10));
    ran.length = 0;
    expect(values(f.call(range(10)))).toEqual(eager);
    const steps = new Set(ran.filter((step) => step.startsWith(`${name} `)));
    expect([...steps]).toEqual([`${name} 4`, `${name} 2`]);
  });

  it('leaves short ones, lone ones and other ops whole', () => {
    using short = capture((x: Tensor) => exp(mul(x, 2)));
    using lone = capture((x: Tensor) => sum(exp(x), 0));
    short.call(range(4));
    lone.call(range(9));
    ran.length = 0;
    short.call(range(4));
    lone.call(range(9));
    expect(ran).toEqual(['mul 4', 'exp 4', 'exp 9', 'sum 1']);
  });

  it('holds no op that moves elements', () => {
    using f = capture((x: Tensor) => exp(mul(x, 0.1).transpose()).transpose());
    const x = range(9).reshape(3, 3);
    const eager = values(exp(mul(x, 0.1)));
    f.call(x);
    ran.length = 0;
    expect(values(f.call(x))).toEqual(eager);
    expect(ran).toEqual(['mul 9', 'permute 9', 'exp 9', 'permute 9']);
  });

  it('is whole again after a kernel has thrown', () => {
    const plain = referenceBackend();
    let fails = false;
    const failing: Kernels['exp'] = (ins, outs, attrs) => {
      if (fails && ins[0]!.offset > 0) throw new Error('no');
      plain.kernels.exp(ins, outs, attrs);
    };
    setBackend({ ...plain, kernels: { ...plain.kernels, exp: failing }, blockElements: block });
    using f = capture((x: Tensor) => exp(mul(x, 0.25)));
    const x = range(11);
    const right = values(f.call(x));
    fails = true;
    expect(() => f.call(x)).toThrow('no');
    fails = false;
    expect(values(f.call(x))).toEqual(right);
  });

  it('gives the same bits as eager for any program', () => {
    fc.assert(
      fc.property(program, fc.integer({ min: 3, max: 23 }), (makes, n) => {
        const run = (x: Tensor, y: Tensor): Tensor => {
          const known = [x, y];
          for (const make of makes) known.push(make(known));
          return known.at(-1)!;
        };
        const [x, y] = [range(n), range(n, 5)];
        const eager = values(tidy(() => run(x, y)));
        using f = capture(run);
        const first = values(f.call(x, y));
        // other memory for the inputs
        const again = values(f.call(range(n), range(n, 5)));
        expect(first).toEqual(eager);
        expect(again).toEqual(eager);
      }),
      { seed: 20261124, numRuns: 400 },
    );
  });
});
