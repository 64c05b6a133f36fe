/**
 * LoReTTa's transitive step: sample a pseudo block of 32 tokens behind a prompt of 32 for 32 rows, put 64 real tokens
 * behind them, and train on those; against the same in PyTorch, eager with a cache.
 * npm run bench -- loretta-step [--rounds N] [--peers torch] [--quick] [--json] [--save]
 */
import { lorettaCase } from './lib/cases';
import { ours } from './lib/contestants';
import { readOptions } from './lib/options';
import { runSubject } from './lib/subject';
import { makeWorkspace } from './lib/workspace';

const options = readOptions();
const workspace = makeWorkspace();

await runSubject(
  {
    ...{ name: 'loretta-step', title: 'Transitive step: generate 32 × 32 tokens, then train' },
    ...{ ratio: 'speed', tolerance: 1e-3 },
    cases: [lorettaCase(await workspace.weights('S'))],
    ours: ours(workspace.child),
    peers: ['torch'],
  },
  options,
);
