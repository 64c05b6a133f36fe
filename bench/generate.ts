/**
 * Greedy decoding with a cache: 64 tokens, one row and 32 rows.
 * npm run bench -- generate [--rounds N] [--peers torch,tfjs,jax-js,onnx] [--quick] [--json] [--save]
 */
import { generateCase } from './lib/cases';
import { ours } from './lib/contestants';
import { readOptions } from './lib/options';
import { runSubject } from './lib/subject';
import { makeWorkspace } from './lib/workspace';

const options = readOptions();
const workspace = makeWorkspace();
const weights = await workspace.weights('S');

await runSubject(
  {
    ...{ name: 'generate', title: 'Generation, preset S, 64 tokens', ratio: 'speed', tolerance: 0 },
    cases: [generateCase(1, weights), generateCase(32, weights)],
    ours: ours(workspace.child),
    peers: ['torch', 'tfjs', 'jax-js', 'onnx'],
  },
  options,
);
