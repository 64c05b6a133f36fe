/**
 * The training step of a decoder: forward, backward, AdamW; the same weights and data for everyone.
 * npm run bench -- train [--preset S,M] [--rounds N] [--peers torch,tfjs,jax-js] [--quick] [--json] [--save]
 */
import { trainCase } from './lib/cases';
import { Child } from './lib/child';
import { type Contestant, ours } from './lib/contestants';
import { readOptions } from './lib/options';
import { short, spread } from './lib/stats';
import { runSubject } from './lib/subject';
import { table } from './lib/table';
import { makeWorkspace } from './lib/workspace';

const options = readOptions();
const workspace = makeWorkspace();
const cases = await Promise.all(
  options.presets.map(async (size) => trainCase(size, await workspace.weights(size))),
);

/** One process with clocks around its kernels. */
async function profile(contestant: Contestant): Promise<string[][]> {
  const rows: string[][] = [];
  for (const c of cases) {
    const child = new Child(contestant);
    try {
      await child.about();
      await child.prepare(c, options.sample);
      const samples: Readonly<Record<string, number>>[] = [];
      for (let i = 0; i < options.rounds; i++) samples.push((await child.run()).extra);
      const of = (name: string): number => spread(samples.map((s) => s[name]!)).median;
      rows.push([
        ...[c.name, contestant.name, short(of('outsideMs'))],
        `${(100 * of('outsideShare')).toFixed(1)} %`,
        `${of('instructions')}`,
      ]);
    } finally {
      child.close();
    }
  }
  return rows;
}

await runSubject(
  {
    ...{ name: 'train', title: 'Training step', ratio: 'time', tolerance: 1e-3 },
    cases,
    ours: ours(workspace.child),
    peers: ['torch', 'tfjs', 'jax-js'],
    takes: ({ name }, c) => name !== 'tfjs' || c.name === 'S', // M takes it minutes
    extra: { peakMiB: 'MiB in tensors' },
    async also() {
      const rows: string[][] = [];
      for (const one of ours(workspace.child, [1], true)) rows.push(...(await profile(one)));
      const head = ['preset', 'who', 'ms outside kernels', 'share of the step', 'instructions'];
      return [`Time outside kernels, one thread:\n\n${table(head, rows)}`];
    },
  },
  options,
);
