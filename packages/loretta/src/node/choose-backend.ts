/** The one place that names backends: the edge between the library and the machine. */
import { setFlagsFromString } from 'node:v8';
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import { type Backend, BackendError } from '@loretta-ts/core';
import { DataError } from '../data/errors';

/** Backends by the name that the command line takes. */
const BACKENDS = ['cpu', 'cpu:relaxed', 'cpu:none', 'reference'] as const;

/**
 * @param threads for large kernels; results do not depend on it
 * @throws DataError for a name that is none of {@link BACKENDS}; BackendError where there is no relaxed SIMD
 */
export function chooseBackend(name: string, threads: number | 'auto' = 'auto'): Backend {
  switch (name) {
    case 'cpu':
      return cpu({ threads });
    case 'cpu:relaxed':
      return relaxed(threads);
    case 'cpu:none':
      return cpu({ simd: 'none' });
    case 'reference':
      return referenceBackend();
    default:
      throw new DataError('config', 'backend', `no backend ${name}: ${BACKENDS.join(', ')}`);
  }
}

/** Node 20 hides relaxed SIMD behind a flag of the engine, which counts for modules compiled after it is set. */
function relaxed(threads: number | 'auto'): Backend {
  const attempt = (): Backend | null => {
    const backend = cpu({ simd: 'relaxed-simd', threads });
    return backend.info().simd === 'relaxed-simd' ? backend : null;
  };
  const first = attempt();
  if (first !== null) return first;
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const second = attempt();
  if (second !== null) return second;
  throw new BackendError('cpu', 'this engine has no relaxed SIMD: use --backend cpu');
}
