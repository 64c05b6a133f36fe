/** Samples of every op: one row for each of `OpAttrs`; a missing one does not compile. */
import type { OpAttrs, OpName } from '../../attrs';
import { reduceSamples, shapeSamples } from './arrays';
import {
  binarySamples,
  compareSamples,
  logicSamples,
  testSamples,
  unarySamples,
} from './elementwise';
import { fusedSamples } from './fused';
import { convSamples, createSamples, indexSamples, matmulSamples, sequenceSamples } from './linear';
import type { Samples } from './sample';

export type { OpSample, Samples } from './sample';

/** Samples of every op, well conditioned and small. */
export const opSamples: { readonly [N in OpName]: Samples<OpAttrs[N]> } = {
  ...binarySamples,
  ...compareSamples,
  ...logicSamples,
  ...unarySamples,
  ...testSamples,
  ...reduceSamples,
  ...shapeSamples,
  ...indexSamples,
  ...createSamples,
  ...matmulSamples,
  ...convSamples,
  ...sequenceSamples,
  ...fusedSamples,
};
