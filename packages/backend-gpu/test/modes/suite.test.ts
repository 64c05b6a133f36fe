/** The suite of core for every backend: kernels against the reference, fused against decomposed, replay against eager. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { describeBackend } from '@loretta-ts/core/testing';
import { afterAll, describe, it } from 'vitest';
import { gpu } from '../../src/index';
import { mode } from './mode';

const backend = await gpu({ mode, require: true });
afterAll(() => backend.dispose());

describeBackend(`gpu:${mode}`, () => backend, {
  runner: { describe, it },
  reference: referenceBackend,
  runs: mode === 'cpu' || mode === 'webasm' ? 8 : 4,
});
