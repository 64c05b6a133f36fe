/** The GPU backend in headless Chromium: WebGL2 and WebGPU on SwiftShader, from a production build. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { cpu } from '@loretta-ts/backend-cpu';
import type { GpuMode } from '@loretta-ts/backend-gpu';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOST_GROUPS } from '../conformance/format';
import { COLUMNS, guideRow, tableRow } from '../gpu/arithmetic';
import { decoderRun, lorettaRun } from '../gpu/runs';
import { expectClose } from '../gpu/tolerance';
import { buildPage, removePage, Site } from '../../scripts/chromium.mjs';
import type { Jobs } from './page/main';

const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const shared = local('../../../shared/conformance');
const modes = (process.env['LORETTA_CHROMIUM_MODES'] ?? '')
  .split(',')
  .map((mode) => mode.replace('chromium:', '') as GpuMode);
const reference = cpu();
let dir: string;
let site: Site<Jobs>;

beforeAll(async () => {
  dir = await buildPage(local('./page'), local('./page/files.ts'));
  site = await Site.open<Jobs>(dir);
});
afterAll(async () => {
  await site.close();
  removePage(dir);
  await reference.dispose();
});

describe.each(modes)('chromium, gpu:%s', (mode) => {
  it('runs on the device that was asked for', async () => {
    const info = await site.run('info', mode);
    expect(info.executor).toBe(`gpu.js ${mode}`);
    expect(info.fallbackReason).toBeNull();
    expect(info.device).toMatch(/swiftshader/i);
  });

  it.runIf(existsSync(shared))('agrees with the shared vectors', async () => {
    const groups = (await site.run('groups')).filter((name) => !HOST_GROUPS.test(name));
    const report = await site.run('conformance', mode, groups);
    expect(report.failures).toEqual([]);
    expect(report.passed).toBeGreaterThan(850);
  });

  it('50 steps of a small decoder have the losses of the CPU backend', async () => {
    expectClose(await site.run('decoder', mode, 50), await decoderRun(reference));
  });

  it("LoReTTa's commutative and transitive steps run, generation included", async () => {
    const want = await lorettaRun(reference);
    const got = await site.run('loretta', mode);
    expect(got.generated).toBe(want.generated);
    expectClose(got.losses, want.losses, 0.05);
  });
});

describe('chromium, the edges', () => {
  it.each(modes)('the arithmetic of gpu:%s is what the guide says', async (mode) => {
    const row = await site.run('arithmetic', mode);
    const name = `${mode} in Chromium`;
    console.log(tableRow(name, row));
    const guide = readFileSync(local('../../docs/guides/gpu.md'), 'utf8');
    expect(guideRow(guide, name)).toEqual(COLUMNS.slice(0, -1).map((c) => row[c]));
  });

  it('a lost context rejects reads and launches with a BackendError', async () => {
    const { before, told } = await site.run('lost');
    expect(before).toBe(6);
    for (const line of told) expect(line).toMatch(/^BackendError: gpu: the WebGL context was lost/);
  });
});

describe('chromium, cpu', () => {
  it('runs on two threads where memory may be shared, else on one, with the same losses', async () => {
    const want = await decoderRun(reference, 5);
    const alone = await site.run('cpu', 2, 5);
    expect(alone.isolated).toBe(false);
    expect(alone.info.threads).toBe(1);
    expect(alone.info.fallbackReason).toContain('SharedArrayBuffer');
    expect(alone.losses).toEqual(want);
    const isolated = await Site.open<Jobs>(dir, true);
    const two = await isolated.run('cpu', 2, 5).finally(() => isolated.close());
    expect(two.isolated).toBe(true);
    expect(two.info.threads).toBe(2);
    expect(two.losses).toEqual(want);
  });
});

it('the page complains of nothing', () => {
  expect(site.complaints).toEqual([]);
});
