/**
 * Causal attention, forward and backward, 4 heads of 64: time, and memory beyond the tensors.
 * npm run bench -- attention [--rounds N] [--peers torch,tfjs,jax-js] [--quick] [--json] [--save]
 */
import { attentionCase } from './lib/cases';
import { ours } from './lib/contestants';
import { readOptions } from './lib/options';
import { runSubject } from './lib/subject';
import { makeWorkspace } from './lib/workspace';

const options = readOptions();
const { child } = makeWorkspace();
const lengths = options.quick ? [512, 2048] : [512, 2048, 8192];

/** Longest of each peer: tfjs answers for 2048 in minutes, jax-js needs gigabytes for 8192. */
const longest: Readonly<Record<string, number>> = { tfjs: 512, 'jax-js': 2048 };

await runSubject(
  {
    ...{ name: 'attention', title: 'Causal attention, forward and backward' },
    ...{ ratio: 'time', tolerance: 1e-3 },
    cases: lengths.map(attentionCase),
    ours: ours(child),
    peers: ['torch', 'tfjs', 'jax-js'],
    takes: ({ name }, c) => c.subject === 'attention' && c.length <= (longest[name] ?? 8192),
    extra: { beyondMiB: 'MiB beyond tensors' },
  },
  options,
);
