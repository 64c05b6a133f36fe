/** A step that is not finite: what is said of it, and when it may be left out. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { log, NonFiniteError, setBackend, sum, type Tensor, tensor } from '@loretta-ts/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkFinite, type OnNonFinite, Param } from '../src/index';

beforeEach(() => setBackend(referenceBackend()));

const named = (...numbers: number[]): readonly (readonly [string, Param])[] => [
  ['w', new Param(tensor(Float64Array.from(numbers)))],
  ['other', new Param(tensor(Float64Array.of(1)))],
];

/** What `checkFinite` says of a step of these parameters. */
async function said(
  params: ReturnType<typeof named>,
  fn: () => Tensor,
  { loss = Number.NaN, norm = 1, on }: { loss?: number; norm?: number; on?: OnNonFinite } = {},
): Promise<NonFiniteError | null> {
  return await checkFinite({ where: 'test', step: 7, loss, norm, params, fn }, on);
}

describe('checkFinite', () => {
  it('lets a finite step be, and does not run it again', async () => {
    const never = (): Tensor => {
      throw new Error('it ran');
    };
    expect(await said(named(1), never, { loss: 1, norm: 2 })).toBeNull();
    for (const numbers of [
      { loss: 1, norm: Number.POSITIVE_INFINITY },
      { loss: Number.NaN, norm: 1 },
    ]) {
      await expect(said(named(1), never, numbers)).rejects.toThrow('it ran');
    }
  });

  it('names the op that made it, and the rate as the way out', async () => {
    const params = named(0, 1);
    const [[, w]] = params as [(typeof params)[number]];
    const fn = (): Tensor => sum(log(w.value));
    const error = await said(params, fn, { loss: Number.NEGATIVE_INFINITY, on: 'skip' });
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error!.op).toBe('log');
    expect(error!.message).toMatch(
      /^test: step 7: loss -Infinity, gradient norm 1: log made infinity in f64\[2\]: lower the learning rate$/,
    );
    await expect(said(params, fn)).rejects.toThrow(error!.message.replace('-Infinity', 'NaN'));
    await expect(said(params, fn, { on: 'refuse' })).rejects.toMatchObject({ op: 'log' });
  });

  it('names the data where they held it', async () => {
    const params = named(1, 1);
    const [[, w]] = params as [(typeof params)[number]];
    const data = tensor(Float64Array.of(1, Number.NaN));
    const error = await said(params, () => sum(w.value.mul(data)), { on: 'skip' });
    expect(error!.message).toMatch(/mul was given NaN in an input, f64\[2\]: look at the data$/);
    expect(error!.op).toBe('mul');
  });

  it('never leaves out a step of a weight that is not finite, and names it', async () => {
    const params = named(1, Number.NaN);
    const [[, w]] = params as [(typeof params)[number]];
    for (const on of ['refuse', 'skip'] as const) {
      await expect(said(params, () => sum(w.value), { on })).rejects.toThrow(
        /given NaN in a leaf, f64\[2\] \(w\): go on from the last checkpoint$/,
      );
    }
  });

  it('says so where each op is finite and the norm is not', async () => {
    const params = named(1, 2);
    const [[, w]] = params as [(typeof params)[number]];
    const error = await said(params, () => sum(w.value), {
      ...{ loss: 3, norm: Number.POSITIVE_INFINITY, on: 'skip' },
    });
    expect(error!.op).toBeNull();
    expect(error!.message).toMatch(/each op alone is finite: the norm overflows: lower/);
  });
});
