/** Optimisers, schedules, clipping and accumulation: defaults, refusals, state, and the way over one flat array. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import {
  type Backend,
  key,
  normal,
  setBackend,
  sum,
  square,
  type Tensor,
  tensor,
  ValueError,
  valueAndGrad,
} from '@loretta-ts/core';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  Adam,
  AdamW,
  CheckpointError,
  clipGradNorm,
  clipGradValue,
  clipScale,
  constantWarmup,
  cosineWarmup,
  cosineWarmupMin,
  GradAccumulator,
  gradNorm,
  linearWarmup,
  type Optimizer,
  Param,
  RMSprop,
  SGD,
  stepDecay,
} from '../src/index';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

type Named = readonly (readonly [string, Param])[];

const param = (seed: number, ...shape: number[]): Param =>
  new Param(normal(key(seed), shape, { dtype: 'f64' }));
const params = (): Named => [
  ['a', param(1, 3, 2)],
  ['b', param(2, 4)],
  ['c', param(3, 2, 2)],
];
const lossOf = (list: Named): Tensor =>
  list.map(([, p]) => sum(square(p.value.sub(0.5)))).reduce((x, y) => x.add(y));
const valuesOf = (list: Named): number[][] => list.map(([, p]) => [...p.value.dataSync()]);

/** The parameters after five steps. */
function after(make: (list: Named) => Optimizer): number[][] {
  const list = params();
  using optimizer = make(list);
  for (let i = 0; i < 5; i++) {
    const { value, grads } = valueAndGrad(
      list.map(([, p]) => p),
      () => lossOf(list),
    );
    optimizer.step(grads, { gradScale: 0.7 });
    value.dispose();
    grads.dispose();
  }
  return valuesOf(list);
}

/** A backend whose ops take whole arrays, as on a GPU. */
const whole = (inner: Backend): Backend =>
  new Proxy(inner, {
    get(target, name) {
      if (name === 'wholeArrays') return true;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

describe('defaults', () => {
  it.each<[string, (list: Named) => Optimizer, (list: Named) => Optimizer]>([
    [
      'SGD',
      (list) => new SGD(list),
      (list) =>
        new SGD(list, { lr: 1e-3, momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 }),
    ],
    [
      'Adam',
      (list) => new Adam(list),
      (list) =>
        new Adam(list, {
          ...{ lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false },
        }),
    ],
    [
      'AdamW',
      (list) => new AdamW(list),
      (list) => new AdamW(list, { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 }),
    ],
    [
      'RMSprop',
      (list) => new RMSprop(list),
      (list) => new RMSprop(list, { lr: 1e-2, alpha: 0.99, eps: 1e-8 }),
    ],
  ])('%s has those of PyTorch', (_, bare, full) => {
    expect(after(bare)).toEqual(after(full));
  });

  it.each<[string, (list: Named) => Optimizer]>([
    ['SGD', (list) => new SGD(list, { lr: 0.1, momentum: 0.9 })],
    ['Adam', (list) => new Adam(list, { lr: 0.1 })],
    ['AdamW', (list) => new AdamW(list, { lr: 0.1 })],
    ['RMSprop', (list) => new RMSprop(list, { lr: 0.1 })],
  ])('%s takes a scaled gradient, by a number or a tensor', (_, make) => {
    const list = params();
    const grad = new Map(list.map(([name, p]) => [p, p.value.mul(name.length + 1)]));
    const step = (by: number, gradScale: number | Tensor): number[][] => {
      const copy = params();
      const sources = new Map(copy.map(([, p], i) => [p, grad.get(list[i]![1])!.mul(by)]));
      make(copy).step({ get: (p) => sources.get(p)! }, { gradScale });
      return valuesOf(copy);
    };
    const want = step(1e-3, 1);
    for (const scale of [1e-3, tensor(1e-3, { dtype: 'f64' })]) {
      step(1, scale).forEach((values, i) => {
        for (const [j, x] of values.entries()) expect(x).toBeCloseTo(want[i]![j]!, 12);
      });
    }
    expect(step(1e-9, 1)).not.toEqual(want);
  });

  it('an option that is given counts, 0 too', () => {
    const bare = after((list) => new RMSprop(list));
    for (const options of [{ lr: 0.02 }, { alpha: 0.5 }, { eps: 0.1 }]) {
      expect(after((list) => new RMSprop(list, options))).not.toEqual(bare);
    }
    expect(after((list) => new RMSprop(list, { lr: 0 }))).toEqual(valuesOf(params()));
    expect(after((list) => new RMSprop(list, { alpha: 0, eps: 0 }))[0]![0]).toBeCloseTo(
      // steps of lr against the sign of the gradient
      valuesOf(params())[0]![0]! - 0.05 * Math.sign(valuesOf(params())[0]![0]! - 0.5),
      12,
    );
  });
});

describe('state', () => {
  const names = (optimizer: Optimizer): string[] => [...optimizer.stateDict().keys()];

  it('is what the rule needs, and no more', () => {
    const one: Named = [['w', param(1, 2)]];
    expect(names(new SGD(one))).toEqual([]);
    expect(names(new SGD(one, { momentum: 0.9 }))).toEqual(['momentum_buffer/w']);
    expect(names(new Adam(one))).toEqual(['exp_avg/w', 'exp_avg_sq/w']);
    expect(names(new Adam(one, { amsgrad: true }))).toEqual([
      ...['exp_avg/w', 'exp_avg_sq/w', 'max_exp_avg_sq/w'],
    ]);
    expect(names(new RMSprop(one))).toEqual(['square_avg/w']);
  });

  it('is freed by using, and the parameters are not', () => {
    const list = params();
    const before = backend.memory().buffers;
    {
      using optimizer = new AdamW(list);
      expect(optimizer.leaves()).toHaveLength(9);
      expect(backend.memory().buffers).toBe(before + 6);
    }
    expect(backend.memory().buffers).toBe(before);
    expect(valuesOf(list)).toEqual(valuesOf(params()));
  });

  it('is taken over in the dtype of the parameter, or refused whole', () => {
    const list: Named = [['w', param(1, 2)]];
    const optimizer = new SGD(list, { momentum: 0.9 });
    const host = { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } as const;
    const good = new Map([['momentum_buffer/w', host]]);
    optimizer.loadStateDict(good, 7);
    const [slot] = optimizer.stateDict().values();
    expect([slot!.dtype, ...slot!.dataSync(), optimizer.steps]).toEqual(['f64', 1, 2, 7]);
    optimizer.loadStateDict(good, 0);
    for (const steps of [-1, 0.5, Number.NaN]) {
      expect(() => optimizer.loadStateDict(good, steps)).toThrow(CheckpointError);
    }
    const misshapen = new Map([['momentum_buffer/w', { ...host, shape: [2, 1] }]]);
    expect(() => optimizer.loadStateDict(misshapen, 3)).toThrow(
      /momentum_buffer\/w.*\[2,1\].*\[2\]/,
    );
    expect(() => optimizer.loadStateDict(new Map(), 3)).toThrow(/no optimiser state/);
    expect(optimizer.steps).toBe(0);
  });
});

describe('over one flat array, where each launch counts', () => {
  it.each<[string, (list: Named) => Optimizer]>([
    ['some decay', (list) => new AdamW(list, { lr: 0.1, weightDecay: 0.3 })],
    ['all decay', (list) => new AdamW(list, { lr: 0.1, weightDecay: 0.3, decay: () => true })],
    ['none decays', (list) => new AdamW(list, { lr: 0.1, weightDecay: 0.3, decay: () => false })],
  ])('AdamW takes the same steps: %s', (_, make) => {
    const plain = after(make);
    setBackend(whole(referenceBackend()));
    expect(after(make)).toEqual(plain);
  });

  it('the norm of all gradients is the same', () => {
    const norm = (): number => {
      const list = params();
      return gradNorm({ entries: () => list.map(([name, p]) => [name, p.value]) }).itemSync();
    };
    const plain = norm();
    setBackend(whole(referenceBackend()));
    expect(norm()).toBeCloseTo(plain, 13);
    expect(() => gradNorm({ entries: () => [] })).toThrow(/no gradients/);
  });

  it('an optimiser of nothing takes steps', () => {
    for (const make of [() => new AdamW([]), () => new SGD([])]) {
      const optimizer = make();
      optimizer.step(new GradAccumulator([]));
      expect(optimizer.steps).toBe(1);
    }
  });
});

describe('refused', () => {
  const one = (): Named => [['w', param(1, 2)]];
  const bad = [-1e-9, Number.NaN, Number.POSITIVE_INFINITY];

  it('rates that are negative or not finite', () => {
    for (const lr of bad) {
      for (const make of [SGD, Adam, AdamW, RMSprop]) {
        expect(() => new make(one(), { lr })).toThrow(/lr is/);
      }
      for (const make of [cosineWarmup, cosineWarmupMin, linearWarmup]) {
        expect(() => make(lr, 1, 2)).toThrow(ValueError);
      }
      expect(() => constantWarmup(lr, 1)).toThrow(ValueError);
      expect(() => stepDecay(lr, 1, 0.5)).toThrow(ValueError);
    }
    expect(new SGD(one(), { lr: 0 }).lr).toBe(0);
    expect(cosineWarmup(0, 1, 2)(1)).toBe(0);
  });

  it('other options out of range, by their name', () => {
    for (const make of [Adam, AdamW]) {
      for (const beta of [...bad, 1]) {
        expect(() => new make(one(), { betas: [beta, 0.9] })).toThrow(/betas\[0\] is/);
        expect(() => new make(one(), { betas: [0.9, beta] })).toThrow(/betas\[1\] is/);
      }
      for (const x of bad) {
        expect(() => new make(one(), { eps: x })).toThrow(/eps is/);
        expect(() => new make(one(), { weightDecay: x })).toThrow(/weightDecay is/);
      }
      new make(one(), { betas: [0, 0], eps: 0, weightDecay: 0 });
    }
    for (const x of bad) {
      expect(() => new RMSprop(one(), { alpha: x })).toThrow(/alpha is/);
      expect(() => new RMSprop(one(), { eps: x })).toThrow(/eps is/);
      for (const name of ['momentum', 'dampening', 'weightDecay']) {
        expect(() => new SGD(one(), { [name]: x })).toThrow(new RegExp(`${name} is`));
      }
    }
    expect(() => new RMSprop(one(), { alpha: 1 })).toThrow(/alpha is/);
  });

  it('Nesterov without momentum or with dampening', () => {
    expect(() => new SGD(one(), { nesterov: true })).toThrow(/nesterov/);
    expect(() => new SGD(one(), { nesterov: true, momentum: 0.9, dampening: 0.1 })).toThrow(
      /nesterov/,
    );
    new SGD(one(), { nesterov: true, momentum: 0.9 });
  });

  it('a name given twice, and nothing is left behind', () => {
    const twice = [...one(), ...one()];
    const before = backend.memory().buffers;
    expect(() => new AdamW(twice)).toThrow(/two parameters are called w/);
    expect(backend.memory().buffers).toBe(before);
  });

  it('schedules whose end is before their warm-up', () => {
    for (const make of [cosineWarmup, cosineWarmupMin, linearWarmup]) {
      for (const [warmup, total] of [
        [-1, 2],
        [3, 2],
        [0, Number.POSITIVE_INFINITY],
        [Number.NaN, 2],
      ] as const) {
        expect(() => make(1, warmup, total)).toThrow(/must reach beyond the warm-up/);
      }
      expect(make(1, 2, 2)(0)).toBeLessThan(1);
      expect(make(1, 0, 4)(0)).toBe(1);
    }
    expect(() => stepDecay(1, -1, 0.5)).toThrow(ValueError);
  });

  it('limits that are not positive', async () => {
    const one = tensor([3, 4]);
    const grads = { entries: () => [['w', one]] as const };
    for (const limit of [0, -1, Number.NaN]) {
      expect(() => clipScale(one.sum(), limit)).toThrow(ValueError);
      expect(() => clipGradValue(one, limit)).toThrow(ValueError);
      await expect(clipGradNorm(grads, limit)).rejects.toThrow(ValueError);
    }
    const { norm, scale } = await clipGradNorm(grads, 2.5);
    expect([norm, scale.toFixed(6)]).toEqual([5, '0.500000']);
    expect(clipScale(tensor(5), 2.5).itemSync()).toBeCloseTo(0.5, 5);
    expect([...clipGradValue(one, 3.5).dataSync()]).toEqual([3, 3.5]);
  });
});

describe('accumulation', () => {
  const w = (): Param => new Param(tensor(Float64Array.of(1, 2)));
  const of = (g: Tensor) => ({ get: () => g });

  it('lists its sums, counts tokens from 0, and is freed by using', () => {
    const p = w();
    const g = tensor(Float64Array.of(3, 4));
    const before = backend.memory().buffers;
    {
      using total = new GradAccumulator([p]);
      expect(() => total.get(p)).toThrow(ValueError);
      expect(() => total.scale).toThrow(ValueError);
      total.add(of(g), 0);
      total.add(of(g), 3);
      expect(total.tokens).toBe(3);
      const listed = [...total.entries()];
      expect(listed.map(([q, t]) => [q === p, ...t.dataSync()])).toEqual([[true, 6, 8]]);
      total.reset();
      expect([total.tokens, [...total.entries()].length]).toEqual([0, 0]);
      total.add(of(g), 1);
    }
    expect(backend.memory().buffers).toBe(before);
  });

  it('refuses what is not a number of tokens, and adds nothing', () => {
    const total = new GradAccumulator([w()]);
    for (const tokens of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => total.add(of(tensor(Float64Array.of(1, 1))), tokens)).toThrow(
        /number of tokens/,
      );
    }
    expect([...total.entries()]).toEqual([]);
  });
});
