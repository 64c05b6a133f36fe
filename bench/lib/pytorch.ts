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
  const rates = [null, ...CORES].map((core) => ({ core, rate: probe(file, script, core) }));
  const own = rates[0]!;
  const best = rates.reduce((a, b) => (b.rate > a.rate ? b : a));
  const chosen = best.rate > own.rate * worthwhile ? best : own;
  if (chosen !== own) {
    const [slow, fast] = [own.rate.toFixed(0), chosen.rate.toFixed(0)];
    console.error(
      `PyTorch's OpenBLAS does not know this CPU: ${slow} GFLOP/s; with OPENBLAS_CORETYPE=${chosen.core} ${fast}, which is used`,
    );
  }
  return { file, core: chosen.core };
}

/** GFLOP/s; 0 when it fails. */
function probe(file: string, script: string, core: string | null): number {
  const settings = JSON.stringify({ threads: 1, core, probe: true });
  const { stdout } = spawnSync(file, [script, settings], { encoding: 'utf8' });
  return Number(/^@@(.*)$/m.exec(stdout ?? '')?.[1] ?? 0);
}
