/** Every op on one or several backends against the reference in f64. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import {
  type Backend,
  BackendError,
  type HostRandom,
  type Op,
  type OpAttrs,
  type OpName,
} from '@loretta-ts/core';
import {
  close,
  type Outcome,
  type OpSample,
  opSamples,
  ops,
  outcome,
  type Samples,
  type Tolerance,
  toleranceOf,
} from '@loretta-ts/core/testing';
import { between, drawUntil } from '../../draw';
import { eachCase, type Report } from '../../row';
import { wideSamples } from './wide';

const names = Object.keys(ops) as OpName[];

/** No texture has rows of more elements: the sides of a sample of that many. */
const BEYOND = [127, 131] as const;

type Drawn = OpSample<OpAttrs[OpName]>;

/** The first sample of an op is larger than a texture row can be, and so is one of ten; one of three is tiny. */
function draw(random: HostRandom, name: OpName, nth: number): Drawn {
  // all tables have this row: the op and its samples agree
  if (nth % 10 !== 0 && nth % 3 === 0) {
    return drawUntil(random, opSamples[name] as unknown as Samples<OpAttrs[OpName]>, () => true)!;
  }
  const wide = wideSamples[name] as (random: HostRandom, a: number, b: number) => Drawn;
  if (nth % 10 !== 0) return wide(random, between(random, 3, 24), between(random, 3, 64));
  const [a, b] = BEYOND;
  return wide(random, between(random, a, a + 8), between(random, b, b + 8));
}

/** Integers beyond this have no exact place in f32 memory: a backend that keeps them there must refuse them. */
const MAX_EXACT = 2 ** 24 - 1;

const beyondExact = (results: readonly Outcome[]): boolean =>
  results.some(
    ({ aval, data }) => aval.dtype === 'i32' && data.some((x) => Math.abs(x) > MAX_EXACT),
  );

/** As the laws have it; a transform of n values that is computed by its definition adds n of them up. */
function toleranceFor(name: OpName, [first]: readonly Outcome[]): Tolerance {
  const [rtol, atol] = toleranceOf(name, 'f32');
  const terms = name === 'fft' ? (first?.aval.shape.at(-1) ?? 1) : 1;
  return [rtol, atol * Math.max(1, terms / 64)];
}

/** A backend under its name. */
export interface Named {
  readonly name: string;
  readonly backend: Backend;
}

/** `runs` samples of each op. Tells how many results of each backend were compared. */
export async function agree(
  backends: readonly Named[],
  runs: number,
  seed: number,
  report: Report,
): Promise<void> {
  const reference = referenceBackend();
  const compared = new Map(backends.map(({ name }) => [name, 0]));
  const refused = new Map<string, number>();
  await eachCase(runs * names.length, seed, report, async (random, index) => {
    const name = names[index % names.length]!;
    const sample = draw(random, name, Math.floor(index / names.length));
    const op = ops[name] as unknown as Op;
    const want = await outcome({ op, sample, float: 'f64' }, reference);
    for (const { name: where, backend } of backends) {
      const before = backend.memory().buffers;
      const got = await outcome({ op, sample, float: 'f32' }, backend).catch((error: unknown) => {
        if (error instanceof BackendError && beyondExact(want)) return null;
        throw error;
      });
      if (got === null) refused.set(where, (refused.get(where) ?? 0) + 1);
      got?.forEach((result, i) => {
        const what = `${where}, ${name}, output ${i} of ${JSON.stringify(sample.attrs('f32'))}`;
        close(result, want[i]!, toleranceFor(name, want), what);
      });
      const after = backend.memory().buffers;
      if (after !== before)
        throw new Error(`${where}, ${name}: ${after - before} buffers are left`);
      compared.set(where, compared.get(where)! + (got?.length ?? 0));
    }
  });
  for (const [name, n] of compared) report.note(name, n);
  for (const [name, n] of refused) report.note(`${name} refused integers`, n);
}
