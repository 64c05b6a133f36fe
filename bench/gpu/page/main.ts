/** Our modes, the plain use of gpu.js, and TensorFlow.js on WebGL, timed in one page. */
import { cpu } from '@loretta-ts/backend-cpu';
import { type GpuMode, gpu } from '@loretta-ts/backend-gpu';
import type { Backend } from '@loretta-ts/core';
import { arranged } from '../../peers/numbers.mjs';
import { plain } from '../plain';
import { MODEL, makeWork, timed, type Work, type WorkName, weights } from '../work';
import { tfjsWork } from './tfjs';

async function backendOf(contestant: string): Promise<Backend> {
  if (contestant === 'backend-cpu') return cpu({ threads: 1 });
  if (contestant === 'plain') return plain(await gpu({ mode: 'webgl2', require: true }));
  return gpu({ mode: contestant as GpuMode, require: true });
}

const jobs = {
  /** One round of a contestant: milliseconds, and a number that all must agree on. */
  async round(contestant: string, name: WorkName, budget: number) {
    if (contestant === 'tfjs') {
      const reference = cpu({ threads: 1 });
      const initial = arranged(await weights(reference), MODEL.layers);
      await reference.dispose();
      return timed(await tfjsWork(name, initial), budget);
    }
    const backend = await backendOf(contestant);
    const work: Work = makeWork(backend, name, contestant !== 'plain');
    const result = await timed(work, budget);
    work.free();
    await backend.dispose();
    return result;
  },
};

export type Jobs = typeof jobs;

Object.assign(globalThis, { jobs });
