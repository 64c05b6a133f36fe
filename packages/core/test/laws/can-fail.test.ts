/** The laws can fail: broken backends and gradients are noticed. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  customGrad,
  type DType,
  type Kernels,
  mul,
  setBackend,
  square,
  tensor,
} from '../../src';
import { describeBackend, gradcheck, GradcheckError } from '../../src/testing';

/** The tests that the suite declares for a backend, by title. */
function lawsOf(backend: Backend): ReadonlyMap<string, () => Promise<void>> {
  const laws = new Map<string, () => Promise<void>>();
  describeBackend('broken', () => backend, {
    runner: {
      describe: (_, body) => body(),
      it: (title, body) => laws.set(title, body),
    },
    reference: referenceBackend,
    runs: 20,
  });
  return laws;
}

/** The reference with some kernels replaced. */
function withKernels(
  change: (kernels: Kernels) => Partial<Kernels>,
  fusedDTypes: readonly DType[] = [],
): Backend {
  const backend = referenceBackend();
  const kernels = { ...backend.kernels, ...change(backend.kernels) };
  return new Proxy(backend, {
    get: (target, key) => {
      if (key === 'kernels') return kernels;
      if (key === 'fusedDTypes') return fusedDTypes;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const fails = async (backend: Backend, title: string): Promise<unknown> =>
  await lawsOf(backend).get(title)!().then(
    () => 'passed',
    (error: unknown) => String(error),
  );

describe('a broken backend', () => {
  it('with a wrong kernel', async () => {
    const wrong = withKernels((k) => ({
      sin: (ins, outs, attrs) => k.cos(ins, outs, attrs),
    }));
    expect(await fails(wrong, 'sin: kernel = reference, infer = actual, no leak')).toContain(
      'against the reference',
    );
    expect(await fails(wrong, 'sin: gradient = slope')).toContain('order 1');
  });

  it('with a fused kernel that is not its decomposition', async () => {
    const wrong = withKernels(
      (k) => ({
        silu: (ins, outs, attrs) => k.tanh(ins, outs, attrs),
      }),
      ['f32', 'f64'],
    );
    expect(await fails(wrong, 'silu: fused = decomposed')).toContain('against the decomposition');
  });

  it('that leaks', async () => {
    const leaky = withKernels((k) => ({
      exp: (ins, outs, attrs) => {
        leaky.alloc(1, 'f32');
        k.exp(ins, outs, attrs);
      },
    }));
    expect(await fails(leaky, 'exp: kernel = reference, infer = actual, no leak')).toContain(
      'buffers before',
    );
  });

  it('whose results change from run to run', async () => {
    let runs = 0;
    const moody = withKernels((k) => ({
      fill: (ins, outs, attrs) => {
        k.fill(ins, outs, { ...attrs, value: attrs.dtype === 'bool' ? ++runs % 2 : ++runs });
      },
    }));
    expect(await fails(moody, 'fill: replay = eager')).toContain('recorded');
  });

  it('is not the reference', async () => {
    expect(await fails(referenceBackend(), 'sin: gradient = slope')).toBe('passed');
  });
});

describe('gradcheck', () => {
  const backend = referenceBackend();
  const x = tensor(Float64Array.of(0.5, -1.25, 2), { backend });
  beforeEach(() => setBackend(backend));
  const cube = customGrad((t) => ({
    value: mul(t, square(t)),
    save: [t],
    vjp: (ct, [s]) => [mul(ct, mul(square(s!), 3))],
  }));

  it('passes a right rule to second order', async () => {
    await gradcheck((t) => cube(t), [x], { order: 2 });
  });

  it('notices a wrong factor, and tells both slopes', async () => {
    const wrong = customGrad((t) => ({ value: mul(t, 2), vjp: (ct) => [mul(ct, 2.01)] }));
    const error: unknown = await gradcheck((t) => wrong(t), [x]).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(GradcheckError);
    const { order, analytic, numeric } = error as GradcheckError;
    expect(order).toBe(1);
    expect(analytic / numeric).toBeCloseTo(1.005, 6);
  });

  it('notices a rule that is right once and wrong twice', async () => {
    // the derivative 3 x² with x held constant
    const frozen = customGrad((t) => ({
      value: mul(t, square(t)),
      save: [mul(square(t), 3)],
      vjp: (ct, [slope]) => [mul(ct, slope!)],
    }));
    await gradcheck((t) => frozen(t), [x]);
    await expect(gradcheck((t) => frozen(t), [x], { order: 2 })).rejects.toMatchObject({
      order: 2,
    });
  });

  it('refuses f32, where differences are noise', async () => {
    await expect(gradcheck((t) => mul(t, t), [tensor([1, 2])])).rejects.toThrow(/f64/);
    await expect(gradcheck((t) => t, [tensor(Int32Array.of(1))])).rejects.toThrow(/f64/);
  });
});
