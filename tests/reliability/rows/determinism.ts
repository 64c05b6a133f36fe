/** A training is a function of its configuration: not of the process, nor of the number of threads. */
import type { HostRandom } from '@loretta-ts/core';
import { eachCase, must, pick, type Row } from '../row';
import { trainInChild } from '../train-child';
import type { Kind, Plan } from '../trainings';

const STEPS = 200;

/** From the largest to the smallest cost of a step; each in turn, so that few runs have several. */
const KINDS: readonly Kind[] = ['mamba', 'loretta', 'attention', 'vq', 'hyena', 'gumbel'];

/** Large enough that some of the work is cut for threads. */
function draw(random: HostRandom, index: number): Plan {
  const kind = KINDS[index % KINDS.length]!;
  const images = kind === 'vq' || kind === 'gumbel';
  return {
    kind,
    seed: random.int(2 ** 20),
    steps: STEPS,
    dim: pick(random, [64, 80]),
    layers: 1 + random.int(2),
    batch: (images ? 14 : 8) + random.int(5),
    length: images ? 8 : kind === 'loretta' ? 8 + random.int(4) : 32 + random.int(9),
    dropout: pick(random, [0.1, 0.2, 0.3]),
  };
}

export const determinism: Row = {
  name: 'determinism',
  holds: 'two hundred steps give the same bits in every process, on one thread and on two',
  ci: 3,
  release: 10,
  async check(runs, seed, report) {
    let least = 1;
    await eachCase(runs, seed, report, async (random, index) => {
      const plan = draw(random, index);
      const what = JSON.stringify(plan);
      const one = await trainInChild(plan, 1, STEPS);
      must(one.reports.length === STEPS, () => `${one.reports.length} steps of ${what}`);
      must(one.chunks === 0, () => `${one.chunks} chunks for other threads on one: ${what}`);
      for (const again of [1, 2]) {
        const two = await trainInChild(plan, 2, STEPS);
        const share = (two.chunks - two.own) / two.chunks;
        must(share > 0, () => `of ${two.chunks} chunks the second thread took none: ${what}`);
        least = Math.min(least, share);
        const at = one.reports.findIndex(
          (r, i) => JSON.stringify(r) !== JSON.stringify(two.reports[i]),
        );
        must(at < 0, () => `process ${again} on two threads: step ${at} is another: ${what}`);
        must(
          one.hash === two.hash,
          () => `process ${again} on two threads: other weights: ${what}`,
        );
      }
    });
    report.note('% of chunks on the second thread, at least', Math.round(100 * least));
  },
};
