/** Finds a Python with PyTorch, and the kernels with which its OpenBLAS is fastest. */
import { spawnSync } from 'node:child_process';

export interface Python {
  readonly file: string;
  /** Value for OPENBLAS_CORETYPE; null where OpenBLAS chooses best itself. */
  readonly core: string | null;
}

/**
 * Kernels by name. An OpenBLAS that is older than the CPU takes it for one without AVX, which makes products five
 * times slower; it would not be a fair peer. A name that the CPU cannot run ends the probe with a signal.
 */
const CORES = ['Haswell', 'SkylakeX', 'Zen'];
/** Below this gain OpenBLAS keeps its own choice. */
const worthwhile = 1.15;

/** Null without a Python that imports torch; Debian's own is often not the first on the path. */
export function findPython(script: string): Python | null {
  const file = ['python3', '/usr/bin/python3'].find(
    (name) => spawnSync(name, ['-c', 'import torch, numpy'], { stdio: 'ignore' }).status === 0,
  );
  if (file === undefined) return null;
  const tried = [null, ...CORES].map((core) => ({ core, ...probe(file, script, core) }));
  const own = tried[0]!;
  const best = tried.reduce((a, b) => (b.rate > a.rate ? b : a));
  if (best.rate <= own.rate * worthwhile) return { file, core: null };
  const [slow, fast] = [own, best].map((t) => `${t.blas} with ${t.rate.toFixed(0)} GFLOP/s`);
  console.error(`PyTorch came with ${slow}; it runs as ${fast} (OPENBLAS_CORETYPE=${best.core})`);
  return { file, core: best.core };
}

interface Probe {
  readonly blas: string;
  readonly rate: number;
}

/** Rate 0 when it fails. */
function probe(file: string, script: string, core: string | null): Probe {
  const settings = JSON.stringify({ threads: 1, core, probe: true });
  const { stdout } = spawnSync(file, [script, settings], { encoding: 'utf8' });
  const line = /^@@(.*)$/m.exec(stdout ?? '')?.[1];
  return line === undefined ? { blas: '', rate: 0 } : (JSON.parse(line) as Probe);
}
