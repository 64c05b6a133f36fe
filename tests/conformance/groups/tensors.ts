/** Cases of tensors: feed the inputs, compare outputs and gradients. */

import type { Tensor } from '@loretta-ts/core';
import * as core from '@loretta-ts/core';
import { Call, type Outputs } from '../call';
import { deviceException, documentedZero } from '../exceptions';
import { type Case, type Entry, type Group, parseNumber, valuesOf } from '../format';
import { callOf } from '../op-map';
import { pythonSlice } from '../op-map/shape';
import type { Vector } from '../safetensors';
import type { Exception, Verdict } from '../verdict';

const DTYPES = { int32: 'i32', bool: 'bool' } as const;

export function dtypeOf(entry: Pick<Entry, 'dtype'>, float: core.FloatDType): core.DType {
  return entry.dtype === 'int32' || entry.dtype === 'bool' ? DTYPES[entry.dtype] : float;
}

/** A vector of the folder as a tensor. */
export function toTensor(v: Vector, dtype: core.DType): Tensor {
  if (dtype === 'f64') return core.tensor(v.data, { shape: v.shape });
  const data = dtype === 'f32' ? Float32Array.from(v.data) : Int32Array.from(v.data);
  return core.tensor(data, { shape: v.shape, dtype });
}

/** The steps from the base of a view. */
function viewOf(base: Tensor, steps: NonNullable<Entry['via']>['steps']): Tensor {
  return steps.reduce((x, [kind, ...args]) => {
    const bound = (i: number): number | null => (args[i] === null ? null : parseNumber(args[i]));
    switch (kind) {
      case 'permute':
        return core.permute(x, args[0] as number[]);
      case 'slice':
        return pythonSlice(x, parseNumber(args[0]), bound(1), bound(2), bound(3) ?? 1);
      case 'expand':
        return core.broadcastTo(x, args[0] as number[]);
      case 'select':
        return core.select(x, parseNumber(args[0]), parseNumber(args[1]));
      default:
        throw new Error(`no view step is called ${kind}`);
    }
  }, base);
}

function named(result: Tensor | Outputs, c: Case): ReadonlyMap<string, Tensor> {
  if (result instanceof core.Tensor) return new Map([[c.outputs[0]?.name ?? 'y', result]]);
  return new Map(Object.entries(result as Outputs));
}

interface Run {
  readonly outputs: ReadonlyMap<string, Tensor>;
  /** By input name. */
  readonly grads: ReadonlyMap<string, Tensor>;
}

/**
 * Runs the op and the gradient of `sum(output · upstream)`. With `throughViews` the leaves are the bases of the views
 * among the inputs.
 */
function run(group: Group, c: Case, dtype: core.FloatDType, throughViews: boolean): Run {
  const leaves = new Map<string, Tensor>();
  const bases = new Map<string, Tensor>();
  for (const e of c.inputs) {
    const base = e.via === undefined ? e : e.via.base;
    const t = toTensor(valuesOf(group, base), dtypeOf(base, dtype));
    bases.set(e.name, t);
    const outer = e.via === undefined || throughViews ? t : viewOf(t, e.via.steps);
    leaves.set(e.name, outer);
  }
  const inputs = (): Map<string, Tensor> =>
    new Map(
      c.inputs.map((e) => {
        const t = leaves.get(e.name)!;
        return [e.name, throughViews && e.via !== undefined ? viewOf(t, e.via.steps) : t];
      }),
    );
  const forward = (): ReadonlyMap<string, Tensor> =>
    named(callOf(c.op)(new Call(inputs(), c.attrs, dtype)), c);
  if (c.grads.length === 0) return { outputs: forward(), grads: new Map() };
  const wanted = c.inputs.filter((e) => e.requires_grad === true).map((e) => e.name);
  const upstream = c.upstream.map((e) => [e.name, toTensor(valuesOf(group, e), dtype)] as const);
  const { grads, aux } = core.valueAndGrad(
    wanted.map((name) => leaves.get(name)!),
    () => {
      const outputs = forward();
      const parts = upstream.map(([name, u]) => core.sum(core.mul(output(outputs, name), u)));
      return [parts.reduce((a, b) => core.add(a, b)), outputs] as const;
    },
  );
  return {
    outputs: aux,
    grads: new Map(wanted.map((name) => [name, grads.get(leaves.get(name)!)])),
  };
}

function output(outputs: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const found = outputs.get(name);
  if (found === undefined) throw new Error(`the call gives no output ${name}`);
  return found;
}

export async function tensorCase(group: Group, c: Case, verdict: Verdict): Promise<void> {
  using s = core.scope();
  const dtype = verdict.precision;
  const inputs = (e: Entry) => valuesOf(group, e);
  const device = verdict.onGpu
    ? deviceException(c, inputs, (reason) => verdict.except(`${c.id}: ${reason}`))
    : undefined;
  const excepted = documentedZero(c, inputs) ?? device;
  const compare = async (label: string, t: Tensor, e: Entry, rule?: Exception): Promise<void> => {
    const kind = dtypeOf(e, dtype);
    if (t.dtype !== kind) verdict.that(false, `${label}: is ${t.dtype}, want ${kind}`);
    verdict.values(
      label,
      { shape: t.shape, data: await t.data() },
      valuesOf(group, e),
      e.tol,
      rule,
    );
  };
  const first = s.run(() => run(group, c, dtype, false));
  for (const e of c.outputs) await compare(e.name, output(first.outputs, e.name), e, excepted);
  for (const e of c.grads.filter((g) => g.of !== 'base')) {
    await compare(`grad of ${e.name}`, first.grads.get(e.name)!, e, excepted);
  }
  const ofBases = c.grads.filter((g) => g.of === 'base');
  if (ofBases.length === 0) return;
  const second = s.run(() => run(group, c, dtype, true));
  for (const e of ofBases) {
    await compare(`grad of ${e.name}'s base`, second.grads.get(e.name)!, e, excepted);
  }
}
