/** The playground, driven as a visitor would: draw, listen, pick, speak, train; dark, light, and on a phone. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { makeArm, parseConfig, proportion, setUp, type TrainData } from '@loretta-ts/loretta';
import { decodeWav, encodeWav } from '@loretta-ts/tokenizers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeAssets } from '../../docs/playground/node/assets';
import { ARMS } from '../../docs/playground/src/format';
import { smallSvl } from '../../packages/loretta/test/data-small';
import { buildPage, removePage, Site } from '../../scripts/chromium.mjs';

const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const artefacts = local('../../docs/.artefacts');
const config = parseConfig({
  model: { dim: 32, layers: 1, heads: 2 },
  train: { steps: 60, batch: 16, lr: 0.01, lrWarmup: 5 },
  transitive: { earliest: 10, latest: 20 },
});
let dir: string;
let site: Site;

/** A run of some steps of both arms, written as the main job's is. */
async function shortRun(out: string): Promise<void> {
  const backend = cpu();
  setBackend(backend);
  const loaded = await smallSvl();
  const { modalities, pairs, test } = loaded;
  const data: TrainData = { modalities, pairs, test, oracle: null };
  const matching = proportion(2, 10);
  const unseen = [{ from: 'speech', to: 'image', matching }] as never;
  const trained = await Promise.all(
    ARMS.map(async (name) => {
      const arm = makeArm(name, test.modalities, config.transitive);
      const { trainer, model } = setUp(data, config, arm);
      for (let i = 0; i < 20; i++) await trainer.step(arm, i < 10 ? 0 : 0.5);
      const checkpoint = await trainer.save();
      trainer.dispose();
      model.dispose();
      return { steps: 20, checkpoint, evaluation: { unseen } };
    }),
  );
  const arms = { commutative: trained[0]!, transitive: trained[1]! };
  await writeAssets(out, { config, loaded, data, arms });
  await backend.dispose();
}

beforeAll(async () => {
  mkdirSync(artefacts, { recursive: true });
  dir = await buildPage(local('../../docs/playground'));
  // not what a developer's own run may have left there
  rmSync(join(dir, 'model'), { recursive: true, force: true });
  await shortRun(join(dir, 'model'));
  site = await Site.open(dir);
  site.page.setDefaultTimeout(60_000);
  await site.page.waitForSelector('body[data-ready]');
});
afterAll(async () => {
  await site.close();
  removePage(dir);
});

const shot = (name: string): Promise<unknown> =>
  site.page.screenshot({ path: join(artefacts, `playground-${name}.png`), fullPage: true });

/** Waits until an answer is there and nobody works on another. */
const answered = (area: string, found: string): Promise<unknown> =>
  site.page.waitForFunction(
    `document.querySelector('${area}').ariaBusy === 'false' && document.querySelectorAll('${found}').length > 0`,
  );

/** Shares under a card's bars. */
async function fitOf(id: string): Promise<number[]> {
  const values = await site.page.$$eval(`#${id} .bar`, (bars) =>
    bars.map((bar) => Number((bar as HTMLElement).dataset['value'])),
  );
  expect(values).toHaveLength(10);
  expect(values.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 2);
  return values;
}

/** Sums of the grey values of canvases. */
const inkOf = (selector: string): Promise<number[]> =>
  site.page.$$eval(selector, (canvases) =>
    (canvases as HTMLCanvasElement[]).map((canvas) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return data.reduce((sum, v, i) => (i % 4 === 0 ? sum + v : sum), 0);
    }),
  );

const caption = /^“\S+ \S+ \S+ \S+ \S+”( \(\d\))?$/;

it('says what is at hand: the machine and why it has one thread', async () => {
  const machine = await site.page.textContent('#machine');
  expect(machine).toMatch(/CPU · (relaxed-)?simd · 1 thread/);
  expect(machine).toContain('not cross-origin isolated: training on the CPU has one thread');
  expect(await site.page.textContent('#model-note')).toContain('20 % of cases; chance is 10 %');
});

it('a drawn digit gets a caption and a sound', async () => {
  const { page } = site;
  await page.setViewportSize({ width: 1200, height: 900 });
  const box = (await page.locator('#pad').boundingBox())!;
  const at = (x: number, y: number): [number, number] => [
    box.x + x * box.width,
    box.y + y * box.height,
  ];
  await page.mouse.move(...at(0.25, 0.25));
  await page.mouse.down();
  await page.mouse.move(...at(0.72, 0.25), { steps: 6 });
  await page.mouse.move(...at(0.45, 0.85), { steps: 8 });
  await page.mouse.up();
  await answered('#described', '#draw-fit .bar');
  expect(await page.textContent('#said')).toMatch(
    /^It says “(zero|one|two|three|four|five|six|seven|eight|nine)”$/,
  );
  expect(await page.textContent('#draw-caption')).toMatch(caption);
  await fitOf('draw-fit');
  const [seen] = await inkOf('#seen');
  expect(seen).toBeGreaterThan(28 * 28 * 10);
  for (const voice of ['nearest', 'robot']) {
    await page.selectOption('#voice', voice);
    const bytes = (await page.evaluate(
      `fetch(document.querySelector('#download').href).then(async (r) => [...new Uint8Array(await r.arrayBuffer())])`,
    )) as number[];
    const { samples, sampleRate } = decodeWav(Uint8Array.from(bytes));
    expect(sampleRate).toBe(8000);
    const power = samples.reduce((sum, v) => sum + v * v, 0) / samples.length;
    expect(Math.sqrt(power), voice).toBeGreaterThan(0.01);
  }
});

it('what is cleared is not asked about', async () => {
  await site.page.click('#clear');
  expect(await site.page.isDisabled('#describe')).toBe(true);
  expect((await inkOf('#pad'))[0]).toBe(0);
});

it('a picked picture is shown and described, by the keyboard too', async () => {
  const { page } = site;
  await page.focus('#digits button:nth-child(3)');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#digits button:nth-child(3)[aria-pressed="true"]');
  await answered('#described', '#draw-fit .bar');
  expect((await inkOf('#pad'))[0]).toBeGreaterThan(280 * 280 * 5);
});

it('a recording is answered with pictures that are not blank', async () => {
  const { page } = site;
  await page.click('#recordings button:nth-child(8)');
  await answered('#imagined', '#images canvas');
  expect(await page.textContent('#seen-as')).toBe('For a spoken 7, recording 1 of 3, it imagines');
  expect(await page.textContent('#speak-caption')).toMatch(caption);
  const ink = await inkOf('#images canvas');
  expect(ink).toHaveLength(7);
  expect(Math.min(...ink)).toBeGreaterThan(0);
  await shot('light');
});

it('the switch asks the other arm about the same recording', async () => {
  const { page } = site;
  const before = await fitOf('speak-fit');
  await page.locator('input[name="model"][value="commutative"]').press('Space');
  await page.waitForFunction(
    `document.querySelector('#speak-fit .bar').dataset.value !== '${before[0]!.toFixed(4)}'`,
  );
  expect(await fitOf('speak-fit')).not.toEqual(before);
});

it('a file and the microphone are heard; what is no sound is refused in words', async () => {
  const { page } = site;
  const samples = Float32Array.from({ length: 12_000 }, (_, i) =>
    i > 3000 && i < 9000 ? 0.5 * Math.sin((i * (300 + i / 40)) / 4000) : 0,
  );
  const wav = Buffer.from(encodeWav({ sampleRate: 16_000, samples }));
  await page.setInputFiles('#file', { name: 'two.wav', mimeType: 'audio/wav', buffer: wav });
  await page.waitForFunction(`document.querySelector('#seen-as').textContent.includes('two.wav')`);
  await page.click('#record');
  await page.waitForFunction(
    `document.querySelector('#seen-as').textContent.includes('your voice')`,
  );
  expect(await page.textContent('#record')).toBe('Speak');
  const text = Buffer.from('this is no sound');
  await page.setInputFiles('#file', { name: 'x.wav', mimeType: 'audio/wav', buffer: text });
  await page.waitForSelector('#trouble:not([hidden])');
  expect(await page.textContent('#trouble-text')).toContain('x.wav is no sound file');
  await page.click('#dismiss');
  expect(await page.isHidden('#trouble')).toBe(true);
});

/** The number in a field of the training's figures. */
const numberOf = async (id: string): Promise<number> =>
  Number((await site.page.textContent(`#${id}`))!.replace(/[^\d.].*$/, ''));

it('trains from nothing: the loss falls, samples change, it pauses and switches', async () => {
  const { page } = site;
  await page.selectOption('#start', 'scratch');
  expect(await page.inputValue('#steps')).toBe('60');
  await page.fill('#steps', '300');
  await page.fill('#every', '30');
  await page.click('#go');
  await page.waitForFunction(`parseInt(document.querySelector('#n-step').textContent) >= 2`);
  const first = await numberOf('n-loss');
  await page.click('#pause');
  await page.waitForFunction(
    `document.querySelector('#train-state').textContent.startsWith('Paused')`,
  );
  const held = await page.textContent('#n-step');
  await page.locator('input[name="arm"][value="commutative"]').press('Space');
  await page.waitForTimeout(300);
  expect(await page.textContent('#n-step')).toBe(held);
  await page.click('#pause');
  await page.waitForSelector('#film tr.commutative');
  await page.locator('input[name="arm"][value="transitive"]').press('Space');
  // the model in training answers meanwhile
  await page.locator('input[name="model"][value="live"]').press('Space');
  await page.click('#recordings button:nth-child(2)');
  await answered('#imagined', '#images canvas');
  expect(await page.textContent('#seen-as')).toContain('a spoken 1');
  await page.waitForFunction(
    `document.querySelector('#train-state').textContent.startsWith('Done')`,
  );
  expect(await page.textContent('#n-step')).toBe('300 of 300');
  expect(await numberOf('n-loss')).toBeLessThan(0.8 * first);
  expect(await page.textContent('#n-rate')).toMatch(/^[\d,]+$/);
  expect(await page.textContent('#n-accuracy')).toMatch(/^\d+ %$/);
  const rows = await page.$$eval('#film tr', (all) => all.map((tr) => tr.className));
  expect(rows).toHaveLength(11);
  expect(rows.slice(1)).toContain('commutative');
  expect(rows[0]).toBe('transitive');
  const ink = await inkOf('#film canvas');
  expect(ink).toHaveLength(110);
  expect(ink.slice(0, 10)).not.toEqual(ink.slice(100));
  // the curve itself: its right end is lower than its left one
  const path = (await page.getAttribute('#loss-plot path.line:not(.faint)', 'd'))!;
  const begins = Number(path.match(/^M\S+ ([\d.]+)/)![1]);
  const last = await page.$$eval('#loss-plot path.line', (all) => all.at(-1)!.getAttribute('d')!);
  expect(Number(last.match(/ ([\d.]+)$/)![1])).toBeGreaterThan(begins + 20);
});

it('trains on a GPU and says on which', async () => {
  const { page } = site;
  await page.selectOption('#start', 'commutative');
  await page.fill('#steps', '10');
  await page.selectOption('#backend', 'webgl2');
  await page.click('#go');
  await page.waitForFunction(
    `document.querySelector('#train-state').textContent.includes('gpu.js webgl2')`,
  );
  await page.waitForFunction(`parseInt(document.querySelector('#n-step').textContent) >= 1`);
  await page.click('#stop');
  await page.waitForFunction(
    `document.querySelector('#train-state').textContent.startsWith('Stopped')`,
  );
  expect(await page.textContent('#train-state')).toMatch(/swiftshader/i);
});

it('dark, and on a phone: nothing is wider than the screen', async () => {
  const { page } = site;
  const ground = (): Promise<string> =>
    page.evaluate('getComputedStyle(document.body).backgroundColor');
  const light = await ground();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await ground();
  expect(dark).not.toBe(light);
  await shot('dark');
  await page.click('#theme');
  expect(await ground()).toBe(light);
  await page.click('#theme');
  expect(await ground()).toBe(dark);
  await page.setViewportSize({ width: 360, height: 740 });
  const width = await page.evaluate('document.scrollingElement.scrollWidth');
  expect(width).toBeLessThanOrEqual(360);
  await shot('phone');
});

it('the page complains of nothing', () => {
  expect(site.complaints).toEqual([]);
});

it('a GPU that does not run is refused by name, and nothing else runs in its place', async () => {
  const { page } = site;
  await page.route('**/gpu-browser-*.js', (route) => route.abort());
  await page.selectOption('#backend', 'webgpu');
  await page.click('#go');
  await page.waitForSelector('#trouble:not([hidden])');
  expect(await page.textContent('#trouble-text')).toMatch(/webgpu does not run here\. .*gpu\.js/);
  expect(await page.textContent('#train-state')).toBe('Nothing runs.');
  expect(await page.textContent('#n-step')).toBe('–');
  // the weights that were in training are gone, and nobody claims otherwise
  expect(await page.isDisabled('input[name="model"][value="live"]')).toBe(true);
});
