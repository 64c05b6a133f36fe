/** Gradients of the ops: one case for each entry of the table of ops that has a gradient rule. */
import {
  apply,
  getBackend,
  type HostRandom,
  isFloat,
  type Op,
  type OpAttrs,
  type OpName,
  sizeOf,
  type Tensor,
} from '@loretta-ts/core';
import {
  type HostValue,
  type OpSample,
  opSamples,
  ops,
  type Samples,
  toTensor,
} from '@loretta-ts/core/testing';
import { drawUntil, isReal } from '../../draw';
import type { Draw, GradientCase, Size } from './case';
import { seen } from './views';

const CHOICE = 'its results are true or false';
const PLACE = 'its results are places';

/** Ops without a gradient, each with the reason. */
const WITHOUT: Readonly<Partial<Record<OpName, string>>> = {
  ...{ eq: CHOICE, ne: CHOICE, lt: CHOICE, le: CHOICE, gt: CHOICE, ge: CHOICE },
  ...{ and: CHOICE, or: CHOICE, xor: CHOICE, not: CHOICE },
  ...{ isNaN: CHOICE, isInf: CHOICE, isFinite: CHOICE },
  ...{ argmax: PLACE, argmin: PLACE, argsort: PLACE },
  ...{ fill: 'it has no input', iota: 'it has no input', randomBits: 'its input is a key' },
  adamw: 'a step of training is not differentiated',
};

/** Ops that have cases: all with a rule. */
export const differentiable: readonly OpName[] = (Object.keys(ops) as OpName[]).filter(
  (name) => ops[name].vjp !== null,
);

/** What the list of ops without a gradient gets wrong; empty where it is right. */
export function wrongList(): string[] {
  return (Object.keys(ops) as OpName[]).flatMap((name) => {
    const listed = WITHOUT[name] !== undefined;
    if (ops[name].vjp === null && !listed) return [`${name} has no gradient, and no reason why`];
    return ops[name].vjp !== null && listed ? [`${name} is listed, and has a gradient`] : [];
  });
}

type Sample = OpSample<OpAttrs[OpName]>;

const fits: Readonly<Record<Size, (v: HostValue) => boolean>> = {
  none: ({ shape }) => sizeOf(shape) === 0,
  one: ({ shape }) => sizeOf(shape) === 1,
  some: () => true,
};

/** A sample of the op whose floats have gradients, of the size. */
function draw(random: HostRandom, op: Op, size: Size): Sample {
  // both tables have this row: the op and its samples agree
  const samples = opSamples[op.name] as unknown as Samples<OpAttrs[OpName]>;
  const found = drawUntil(random, samples, ({ ins, attrs }) => {
    const floats = ins.filter(isReal);
    if (!floats.some(fits[size])) return false;
    // a derived input is not among them: such ops have floats for results
    if (ins.length < 1 || op.name.endsWith('Grad')) return true;
    const avals = ins.map(({ shape, kind }) => ({
      shape,
      dtype: kind === 'float' ? ('f64' as const) : kind,
    }));
    return op.infer(avals, attrs('f64')).some(({ dtype }) => isFloat(dtype));
  });
  if (found === null) throw new Error(`no sample of ${op.name} has an input of size ${size}`);
  return found;
}

/** Inputs seen through views, the op behind them; ops with several results also with the first alone. */
function caseOf(random: HostRandom, op: Op, sample: Sample): GradientCase {
  const backend = getBackend();
  const given = sample.ins.map((v) => toTensor(v, backend, 'f64'));
  const ins = sample.derive === undefined ? given : sample.derive(given);
  const views = ins.map((x) =>
    isFloat(x.dtype) ? seen(random, x) : { base: x, view: (b: Tensor) => b },
  );
  const attrs = sample.attrs('f64');
  const first = random.int(2) === 0;
  return {
    inputs: views.map(({ base }) => base),
    fn(...xs) {
      const outs = apply(
        op,
        xs.map((x, i) => views[i]!.view(x)),
        attrs,
      );
      return first ? outs[0]! : outs;
    },
  };
}

/** Cases of an op. */
export function opDraw(name: OpName): Draw {
  const op = ops[name] as unknown as Op;
  return (random, size) => caseOf(random, op, draw(random, op, size));
}
