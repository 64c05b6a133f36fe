/** Gradients of everything that has one, against differences, to second order. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { type HostRandom, setBackend, scope } from '@loretta-ts/core';
import { gradcheck } from '@loretta-ts/core/testing';
import { eachCase, must, type Report, type Row } from '../row';
import type { Draw, GradientCase, Size } from './gradients/case';
import { compositeDraws, composites, excusedForNothing } from './gradients/composites';
import { lossDraws, losses } from './gradients/losses';
import { moduleDraws, modules } from './gradients/modules';
import { differentiable, opDraw, wrongList } from './gradients/ops';

/** What is missing on either side of a list and its cases. */
function unmatched(kind: string, exported: readonly string[], drawn: readonly string[]): string[] {
  return [
    ...exported.filter((name) => !drawn.includes(name)).map((n) => `${kind} ${n} has no case`),
    ...drawn.filter((name) => !exported.includes(name)).map((n) => `${kind} ${n} is not there`),
  ];
}

const subjects: readonly (readonly [string, Draw])[] = [
  ...differentiable.map((name) => [`op ${name}`, opDraw(name)] as const),
  ...Object.entries(compositeDraws).map(([name, draw]) => [`function ${name}`, draw] as const),
  ...Object.entries(moduleDraws).map(([name, draw]) => [`module ${name}`, draw] as const),
  ...Object.entries(lossDraws).map(([name, draw]) => [`loss ${name}`, draw] as const),
];

/** The first samples are of size 0 and 1, and so are some of the later ones. */
const SIZES: readonly Size[] = ['none', 'one', 'some', 'some', 'some', 'some', 'some'];

async function check(random: HostRandom, { fn, inputs }: GradientCase): Promise<void> {
  const seed = random.int(2 ** 30);
  await gradcheck(fn, inputs, { order: 2, seed, eps: 1e-6, atol: 1e-5, rtol: 1e-3 });
}

function checkLists(report: Report): void {
  const wrong = [
    ...wrongList(),
    ...excusedForNothing.map((name) => `${name} is excused, and is not there`),
    ...unmatched('function', composites, Object.keys(compositeDraws)),
    ...unmatched('module', modules, Object.keys(moduleDraws)),
    ...unmatched('loss', losses, Object.keys(lossDraws)),
  ];
  for (const what of wrong) report.fail('the lists', what);
}

export const gradients: Row = {
  name: 'gradients',
  holds:
    'gradients of every op, function of tensors, module and loss are slopes in f64, to second order',
  ci: 10,
  release: 50,
  async check(runs, seed, report) {
    checkLists(report);
    const backend = referenceBackend();
    setBackend(backend);
    await eachCase(runs * subjects.length, seed, report, async (random, index) => {
      const [name, draw] = subjects[index % subjects.length]!;
      const size = SIZES[Math.floor(index / subjects.length) % SIZES.length]!;
      using s = scope();
      const drawn = s.run(() => draw(random, size));
      try {
        await check(random, drawn);
      } catch (error) {
        throw new Error(`${name}, size ${size}: ${(error as Error).stack}`, { cause: error });
      } finally {
        drawn.owned?.[Symbol.dispose]();
      }
      s.dispose();
      must(backend.memory().buffers === 0, () => `${name}: ${backend.memory().buffers} are left`);
    });
    report.note('subjects', subjects.length);
  },
};
