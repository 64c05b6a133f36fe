/** The one place that names backends: the edge between the library and the machine. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import type { Backend } from '@loretta-ts/core';
import { DataError } from '../data/errors';

/** Backends by the name that the command line takes. */
const BACKENDS = ['cpu', 'cpu:relaxed', 'cpu:none', 'reference'] as const;

/** @throws DataError for a name that is none of {@link BACKENDS} */
export function chooseBackend(name: string): Backend {
  switch (name) {
    case 'cpu':
      return cpu();
    case 'cpu:relaxed':
      return cpu({ simd: 'relaxed-simd' });
    case 'cpu:none':
      return cpu({ simd: 'none' });
    case 'reference':
      return referenceBackend();
    default:
      throw new DataError('config', 'backend', `no backend ${name}: ${BACKENDS.join(', ')}`);
  }
}
