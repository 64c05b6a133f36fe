/** Calls that must throw a typed error. */

import type { Tensor } from '@loretta-ts/core';
import * as core from '@loretta-ts/core';
import { Call, type OpCall } from '../call';
import { type Case, type Group, valuesOf } from '../format';
import { callOf } from '../op-map';
import type { Verdict } from '../verdict';
import { dtypeOf, toTensor } from './tensors';

const TYPED = [
  core.ShapeError,
  core.DTypeError,
  core.ValueError,
  core.DisposedError,
  core.BackendError,
  core.CaptureError,
] as const;

/** Calls that are no ops. */
const CALLS: Readonly<Record<string, OpCall>> = {
  tensor: (c) =>
    core.tensor(c.raw('data') as core.TensorData, c.has('shape') ? { shape: c.nums('shape') } : {}),
  backward: (c) => {
    const twice = c.has('graph');
    if (!twice) return core.valueAndGrad([c.x], () => core.mul(c.x, c.x)).value;
    const back = core.vjp((x: Tensor) => core.sum(core.mul(x, x)), c.x);
    const one = core.ones([], { dtype: c.dtype });
    back.pullback(one);
    return back.pullback(one)[0]!;
  },
};

export async function errorCase(group: Group, c: Case, verdict: Verdict): Promise<void> {
  using s = core.scope();
  const { precision } = verdict;
  const call = CALLS[c.op] ?? callOf(c.op);
  try {
    const result = s.run(() => {
      const inputs = new Map(
        c.inputs.map((e) => [e.name, toTensor(valuesOf(group, e), dtypeOf(e, precision))]),
      );
      return call(new Call(inputs, c.attrs, precision));
    });
    // a backend may find out late, when it reads
    for (const t of result instanceof core.Tensor ? [result] : Object.values(result)) {
      await t.data();
    }
    verdict.that(false, `did not throw: ${String(c.raw['why'])}`);
  } catch (error) {
    const typed = TYPED.some((kind) => error instanceof kind);
    verdict.that(typed, `threw an untyped error: ${String(error)}`);
  }
}
