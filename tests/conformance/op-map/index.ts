/** From the ops of the conformance folders to calls of this framework; the families are files beside this one. */
import type { Tensor } from '@loretta-ts/core';
import { Call, type OpCall, type Outputs } from '../call';
import type { Attrs } from '../format';
import { elementwise } from './elementwise';
import { linear } from './linear';
import { losses } from './losses';
import { optim } from './optim';
import { reduce } from './reduce';
import { sequence } from './sequence';
import { shape } from './shape';

interface Instruction {
  readonly out: string;
  readonly op: string;
  readonly in: readonly string[];
  readonly attrs: Attrs;
}

/** A random program: its outputs are all of its values, the case picks. */
function graph(c: Call): Outputs {
  const values = new Map(c.list.map((t, i) => [`x${i}`, t]));
  for (const { out, op, in: names, attrs } of c.raw('program') as readonly Instruction[]) {
    const ins = names.map((name) => [name, values.get(name)!] as const);
    // an op may take one value twice
    const listed = new Map(ins.map(([, t], i) => [String(i), t]));
    const result = callOf(op)(new Call(listed, attrs, c.dtype));
    values.set(out, 'shape' in result ? (result as Tensor) : Object.values(result)[0]!);
  }
  return Object.fromEntries(values);
}

const opMap: ReadonlyMap<string, OpCall> = new Map(
  Object.entries({
    ...elementwise,
    ...reduce,
    ...shape,
    ...linear,
    ...sequence,
    ...losses,
    ...optim,
    graph,
  }),
);

/** The call for an op. @throws Error for one that the map does not have */
export function callOf(op: string): OpCall {
  const call = opMap.get(op);
  if (call === undefined) throw new Error(`the op map has no ${op}`);
  return call;
}
