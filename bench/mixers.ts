/**
 * One layer of each mixer, forward and backward, by length: time, tokens per second, and memory beyond what was there.
 * npm run bench -- mixers [--rounds N] [--quick] [--json] [--save]
 */
import { mixerCase } from './lib/cases';
import { ours } from './lib/contestants';
import { readOptions } from './lib/options';
import { runSubject } from './lib/subject';
import { makeWorkspace } from './lib/workspace';

const options = readOptions();
const { child } = makeWorkspace();
const lengths = options.quick ? [256, 1024] : [256, 512, 1024, 2048, 4096, 8192];
const mixers = ['attention', 'window', 'mamba', 'hyena'] as const;

await runSubject(
  {
    ...{ name: 'mixers', title: 'Mixers, one layer forward and backward' },
    ...{ ratio: 'time', tolerance: 1e-3 },
    cases: lengths.flatMap((length) => mixers.map((mixer) => mixerCase(mixer, length))),
    ours: ours(child, [1]).filter(({ name }) => name.endsWith(' SIMD')),
    peers: [],
    extra: { peakMiB: 'MiB of tensors' },
  },
  options,
);
