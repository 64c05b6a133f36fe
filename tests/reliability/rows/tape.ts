/** Random programs: values against a naive interpreter, gradients against its differences. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import {
  add,
  type HostRandom,
  mul,
  scope,
  setBackend,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from '@loretta-ts/core';
import { build, type Plain, sizeOf } from '../naive';
import { eachCase, must, pick, type Row } from '../row';
import { draws, type Step } from './tape-ops';

const MAX_SIZE = 64;
const MAX_VALUE = 6;
const EPS = 1e-5;

interface Drawn {
  readonly leaves: readonly Plain[];
  readonly steps: readonly Step[];
}

/** A program whose values stay small in size and magnitude. */
function drawProgram(random: HostRandom): Drawn {
  const dims = [1 + random.int(3), 1 + random.int(3)];
  const leaves = Array.from({ length: 2 + random.int(2) }, () => {
    const shape = Array.from({ length: random.int(4) }, () => pick(random, [...dims, 1]));
    return build(shape, () => 2 * random.uniform() - 1);
  });
  const values: Plain[] = [...leaves];
  const steps: Step[] = [];
  const names = Object.keys(draws);
  const wanted = 3 + random.int(10);
  for (let tries = 0; steps.length < wanted && tries < 200; tries++) {
    // late values more often: programs are deep, and all values may be used again
    const near = (): number =>
      random.int(2) === 0 ? values.length - 1 : random.int(values.length);
    const inputs = [near(), near()];
    const name = pick(random, names);
    const meaning = draws[name]!(random, values[inputs[0]!]!, values[inputs[1]!]!);
    if (meaning === null) continue;
    const value = meaning.plain(...inputs.map((i) => values[i]!));
    if (sizeOf(value.shape) > MAX_SIZE || value.data.some((v) => Math.abs(v) > MAX_VALUE)) continue;
    steps.push({ name, inputs, ...meaning });
    values.push(value);
  }
  return { leaves, steps };
}

function run<T>({ steps }: Drawn, leaves: readonly T[], call: (step: Step, ins: T[]) => T): T[] {
  const values = [...leaves];
  for (const step of steps) {
    values.push(
      call(
        step,
        step.inputs.map((i) => values[i]!),
      ),
    );
  }
  return values;
}

const plainly = (program: Drawn, leaves: readonly Plain[]): Plain[] =>
  run(program, leaves, (step, ins) => step.plain(...ins));

/** Weights of the loss: of the last two values, so that two paths meet in it. */
const weight = (value: number, at: number): number => Math.cos(value + 2 * at) + 0.1;

function plainLoss(values: readonly Plain[]): number {
  let total = 0;
  values.slice(-2).forEach(({ data }, v) => {
    data.forEach((x, at) => {
      total += weight(v, at) * x;
    });
  });
  return total;
}

function ourLoss(values: readonly Tensor[]): Tensor {
  return values
    .slice(-2)
    .map((x, v) => {
      const weights = Float64Array.from({ length: x.size }, (_, at) => weight(v, at));
      return sum(mul(x, tensor(weights, { shape: x.shape })));
    })
    .reduce((a, b) => add(a, b));
}

function checkProgram(random: HostRandom): void {
  const program = drawProgram(random);
  const text = program.steps.map(({ name, inputs }) => `${name}(${inputs})`).join(' ');
  using s = scope();
  s.run(() => {
    const leaves = program.leaves.map(({ shape, data }) =>
      tensor(Float64Array.from(data), { shape }),
    );
    const want = plainly(program, program.leaves);
    const { value, grads } = valueAndGrad(leaves, () => {
      const values = run(program, leaves, (step, ins) => step.ours(...ins));
      values.forEach((x, i) => {
        const { shape, data } = want[i]!;
        must(
          x.shape.join() === shape.join(),
          () => `%${i} is [${x.shape}], not [${shape}]: ${text}`,
        );
        x.dataSync().forEach((v, at) => {
          const bound = 1e-10 * (1 + Math.abs(data[at]!));
          must(
            Math.abs(v - data[at]!) <= bound,
            () => `%${i}[${at}] is ${v}, not ${data[at]}: ${text}`,
          );
        });
      });
      return ourLoss(values);
    });
    must(
      Math.abs(value.dataSync()[0]! - plainLoss(want)) < 1e-8,
      () => `the loss differs: ${text}`,
    );
    const direction = program.leaves.map(({ data }) => data.map(() => 2 * random.uniform() - 1));
    const moved = (by: number): number =>
      plainLoss(
        plainly(
          program,
          program.leaves.map(({ shape, data }, i) => ({
            shape,
            data: data.map((x, at) => x + by * direction[i]![at]!),
          })),
        ),
      );
    const numeric = (moved(EPS) - moved(-EPS)) / (2 * EPS);
    let analytic = 0;
    leaves.forEach((leaf, i) => {
      grads
        .get(leaf)
        .dataSync()
        .forEach((g, at) => {
          analytic += g * direction[i]![at]!;
        });
    });
    must(
      Math.abs(analytic - numeric) <= 1e-5 + 1e-4 * Math.abs(numeric),
      () => `the gradient gives ${analytic}, the difference ${numeric}: ${text}`,
    );
  });
}

export const tape: Row = {
  name: 'tape',
  holds: 'random programs give the values and slopes of a naive interpreter, and leave nothing',
  ci: 2000,
  release: 50_000,
  async check(runs, seed, report) {
    const backend = referenceBackend();
    setBackend(backend);
    await eachCase(runs, seed, report, (random) => {
      checkProgram(random);
      must(backend.memory().buffers === 0, () => `${backend.memory().buffers} buffers are left`);
    });
  },
};
