/** Modes to test: `webgpu` only where there is an adapter. `REQUIRE_BACKENDS=webgpu` makes its absence a failure. */
import { type GpuMode, gpu } from '../src/index';

export async function availableModes(): Promise<readonly GpuMode[]> {
  const required = (process.env['REQUIRE_BACKENDS'] ?? '').split(',').includes('webgpu');
  const probe = await gpu({ mode: 'webgpu', require: required });
  const found = probe.info().fallbackReason === null;
  await probe.dispose();
  return found ? ['cpu', 'webasm', 'webgpu'] : ['cpu', 'webasm'];
}
