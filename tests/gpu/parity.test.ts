/** One mode of the GPU backend against the shared vectors and against the CPU backend. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { cpu } from '@loretta-ts/backend-cpu';
import { gpu } from '@loretta-ts/backend-gpu';
import { afterAll, describe, expect, it } from 'vitest';
import { groupNames, HOST_GROUPS, readGroup } from '../conformance/format';
import { runGroup } from '../conformance/runner';
import { mode } from '../../packages/backend-gpu/test/modes/mode';
import { decoderRun, latentRun, lorettaRun, mixerRun, vqRun } from './runs';
import { expectClose } from './tolerance';

const shared = fileURLToPath(new URL('../../../shared/conformance', import.meta.url));
const backend = await gpu({ mode, require: true });
const reference = cpu();
afterAll(() => Promise.all([backend.dispose(), reference.dispose()]));

describe.runIf(existsSync(shared))(`the shared vectors, gpu:${mode}`, () => {
  const names = existsSync(shared) ? groupNames(shared) : [];
  it.each(names.filter((name) => !HOST_GROUPS.test(name)))('%s', async (name) => {
    const report = await runGroup(readGroup(shared, name), { backend, precision: 'f32' });
    expect(report.failures).toEqual([]);
    expect(report.passed + report.notApplicable).toBeGreaterThan(0);
  });
});

describe(`training, gpu:${mode}`, () => {
  it('50 steps of a small decoder have the losses of the CPU backend', async () => {
    const before = backend.memory().buffers;
    const want = await decoderRun(reference);
    expect(want.at(-1)!).toBeLessThan(0.1 * want[0]!);
    expectClose(await decoderRun(backend), want);
    expect(backend.memory().buffers).toBe(before);
  });

  it("LoReTTa's commutative and transitive steps run, generation included", async () => {
    const before = backend.memory().buffers;
    const want = await lorettaRun(reference);
    const got = await lorettaRun(backend);
    expect(got.generated).toBe(want.generated);
    expect(got.generated).toBeGreaterThan(0);
    // what is sampled may differ where two tokens are as probable: then the losses do, from there on
    expectClose(got.losses.slice(0, 2), want.losses.slice(0, 2));
    expectClose(got.losses, want.losses, 0.05);
    expect(backend.memory().buffers).toBe(before);
  });

  it.each(['vq', 'gumbel'] as const)(
    'a small %s autoencoder has the losses of the CPU backend',
    async (quantizer) => {
      const before = backend.memory().buffers;
      const want = await vqRun(reference, quantizer);
      const got = await vqRun(backend, quantizer);
      expect(new Set(want.losses).size).toBe(6);
      expectClose(got.losses, want.losses);
      // a code may change where two are as near: in most places none is
      const same = got.codes.filter((code, i) => code === want.codes[i]).length;
      expect(same / want.codes.length).toBeGreaterThan(0.9);
      expect(backend.memory().buffers).toBe(before);
    },
  );
});

it.each(['attention', 'mamba', 'hyena'] as const)(
  `%s has the logits of the CPU backend, and generates the same, gpu:${mode}`,
  async (mixer) => {
    const before = backend.memory().buffers;
    const want = await mixerRun(reference, mixer);
    const got = await mixerRun(backend, mixer);
    expect(Math.max(...want.logits.map(Math.abs))).toBeGreaterThan(0.01);
    const apart = got.logits.map((x, i) => Math.abs(x - want.logits[i]!));
    expect(Math.max(...apart)).toBeLessThan(1e-4);
    expect(got.tokens).toEqual(want.tokens);
    expect(backend.memory().buffers).toBe(before);
  },
);

it(`a decoder of vectors has the losses of the CPU backend, and generates the same, gpu:${mode}`, async () => {
  const before = backend.memory().buffers;
  const want = await latentRun(reference);
  const got = await latentRun(backend);
  expect(want.losses.at(-1)!).toBeLessThan(want.losses[0]! - 0.3);
  expectClose(got.losses, want.losses);
  expect(got.vectors).toHaveLength(want.vectors.length);
  const apart = got.vectors.map((x, i) => Math.abs(x - want.vectors[i]!));
  expect(Math.max(...apart)).toBeLessThan(0.01);
  expect(got.tokens).toEqual(want.tokens);
  expect(backend.memory().buffers).toBe(before);
});
