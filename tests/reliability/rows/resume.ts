/** A training that was saved goes on in another process as if it had not stopped. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@loretta-ts/backend-cpu';
import { type HostRandom, setBackend } from '@loretta-ts/core';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { eachCase, must, type Row } from '../row';
import { trainInChild } from '../train-child';
import { type Kind, makeTraining, type Plan, type Training } from '../trainings';

const KINDS: readonly Kind[] = ['attention', 'mamba', 'vq', 'loretta'];

function draw(random: HostRandom, kind: Kind, steps: number): Plan {
  return {
    kind,
    seed: random.int(2 ** 20),
    steps,
    dim: 16 * (1 + random.int(2)),
    layers: 1 + random.int(2),
    batch: 2 + random.int(5),
    length: 4 + 2 * random.int(4),
    dropout: random.int(4) / 10,
  };
}

async function train(training: Training, steps: number): Promise<(readonly number[])[]> {
  const reports: (readonly number[])[] = [];
  for (let i = 0; i < steps; i++) reports.push(await training.step());
  return reports;
}

export const resume: Row = {
  name: 'resume',
  holds: 'N + M steps are N steps, a file, and M steps of a new process, to the bit',
  ci: 3,
  release: 25,
  async check(runs, seed, report) {
    const directory = mkdtempSync(join(tmpdir(), 'loretta-resume-'));
    let transitive = 0;
    try {
      // so many splits of each kind
      await eachCase(runs * KINDS.length, seed, report, async (random, index) => {
        const kind = KINDS[index % KINDS.length]!;
        const [n, m] = [4 + random.int(16), 4 + random.int(16)];
        const plan = draw(random, kind, n + m);
        const what = `${n} + ${m} steps of ${JSON.stringify(plan)}`;
        const path = join(directory, `${index}.safetensors`);
        const backend = cpu({ threads: 1 });
        setBackend(backend);
        const [unbroken, first] = [makeTraining(plan), makeTraining(plan)];
        const want = await train(unbroken, n + m);
        const before = await train(first, n);
        await writeFileAtomic(path, await first.save());
        const after = await trainInChild(plan, 1, m, path);
        const got = [...before, ...after.reports];
        const at = want.findIndex((r, i) => JSON.stringify(r) !== JSON.stringify(got[i]));
        must(at < 0, () => `step ${at} gave ${got[at]}, unbroken ${want[at]}: ${what}`);
        must(got.length === n + m, () => `${got.length} steps: ${what}`);
        const hash = createHash('sha256')
          .update(await unbroken.save())
          .digest('hex');
        must(after.hash === hash, () => `other weights at the end: ${what}`);
        if (kind === 'loretta') {
          const linked = want.reduce((sum, r) => sum + r.at(-1)!, 0);
          must(linked > 0, () => `no step was transitive: ${what}`);
          transitive += linked;
        }
        for (const each of [unbroken, first]) each[Symbol.dispose]();
        must(backend.memory().buffers === 0, () => `${backend.memory().buffers} buffers are left`);
        await backend.dispose();
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
    report.note('transitive batches', transitive);
  },
};
