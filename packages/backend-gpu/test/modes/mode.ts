/** The mode that this run tests: each has a project of its own, since GL and Dawn do not share a process. */
import { type GpuMode, gpuModes } from '../../src/index';

const given = process.env['LORETTA_GPU_MODE'] as GpuMode | undefined;
if (given === undefined || !gpuModes.includes(given)) {
  throw new Error(`LORETTA_GPU_MODE is ${given}: one of ${gpuModes.join(', ')}`);
}

export const mode: GpuMode = given;
