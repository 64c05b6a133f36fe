/**
 * Row operations on [2048, 512], forward, and the host's time for a recorded op on a tiny tensor.
 * npm run bench -- ops [--rounds N] [--peers torch,tfjs,jax-js,onnx] [--quick] [--json] [--save]
 */
import { OP_CASES, OVERHEAD_CASE } from './lib/cases';
import { ours } from './lib/contestants';
import { readOptions } from './lib/options';
import { runSubject } from './lib/subject';
import { makeWorkspace } from './lib/workspace';

const options = readOptions();
const { child } = makeWorkspace();
const graphs = ['softmax', 'layer norm', 'gelu', 'transpose'];

await runSubject(
  {
    ...{ name: 'ops', title: 'Ops, forward', ratio: 'time', tolerance: 1e-3 },
    cases: [...OP_CASES, OVERHEAD_CASE],
    ours: ours(child, [1]),
    peers: ['torch', 'tfjs', 'jax-js', 'onnx'],
    takes: ({ name, ours: us, threads }, c) => {
      if (threads > 1) return false;
      if (c.subject === 'overhead') return us || name === 'torch';
      return name !== 'onnx' || graphs.includes(c.name);
    },
    extra: { recordMicros: 'µs an op', perOpMicros: 'with backward' },
  },
  options,
);
