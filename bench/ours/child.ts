/** Our side of a contest: a process with one backend. Argument: JSON of `{ simd, threads, profile? }`. */
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import type { Case } from '../lib/cases';
import { serve, type Work } from '../peers/serve.mjs';
import { attentionWork } from './attention';
import { gemmWork } from './gemm';
import { mixerWork } from './mixers';
import { opWork, overheadWork } from './ops';
import { generateWork, lorettaWork } from './generate';
import { profileKernels, trainWork } from './train';

interface Settings {
  readonly simd: 'simd' | 'relaxed-simd';
  readonly threads: number;
  /** Time kernels apart from everything else. */
  readonly profile?: boolean;
}

const settings = JSON.parse(process.argv[2]!) as Settings;
const backend = cpu({ simd: settings.simd, threads: settings.threads });
const profile = settings.profile === true ? profileKernels(backend) : null;
setBackend(backend);
const { simd, threads } = backend.info();
if (simd !== settings.simd || threads !== settings.threads) {
  throw new Error(`${settings.simd} on ${settings.threads} threads is not to be had here`);
}

function prepare(c: Case): Work {
  switch (c.subject) {
    case 'gemm':
      return gemmWork(c);
    case 'ops':
      return opWork(c);
    case 'overhead':
      return overheadWork(c);
    case 'attention':
      return attentionWork(c, backend);
    case 'mixers':
      return mixerWork(c, backend);
    case 'train':
      return trainWork(c, backend, profile);
    case 'generate':
      return generateWork(c);
    case 'loretta-step':
      return lorettaWork(c);
  }
}

await serve({ version: `Node ${process.versions.node}`, threads, simd }, prepare);
