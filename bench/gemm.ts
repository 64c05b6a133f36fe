/**
 * Matrix products on the shapes of a Transformer.
 * npm run bench -- gemm [--rounds N] [--peers torch,tfjs,jax-js,onnx] [--quick] [--json] [--save]
 */
import { GEMM_CASES } from './lib/cases';
import { ours } from './lib/contestants';
import { readOptions } from './lib/options';
import { runSubject } from './lib/subject';
import { makeWorkspace } from './lib/workspace';

const options = readOptions();
const { child } = makeWorkspace();

await runSubject(
  {
    ...{ name: 'gemm', title: 'Matrix products, f32', ratio: 'speed', tolerance: 1e-3 },
    cases: GEMM_CASES,
    ours: ours(child),
    peers: ['torch', 'tfjs', 'jax-js', 'onnx'],
    // threads are for large products; tfjs takes seconds for transposed ones
    takes: ({ threads }, { name }) => threads === 1 || /^512³|^ffn/.test(name),
    extra: { share: '/ own plain 512³' },
  },
  options,
);
