/** The example page, driven as a user would: press the button, look at the curve. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildPage, removePage, Site } from '../../scripts/chromium.mjs';

const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const screenshots = local('../../.screenshots');
let dir: string;
beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true });
  dir = await buildPage(local('../../docs/examples/gpu-training'));
});
afterAll(() => removePage(dir));

it.each(['webgl2', 'webgpu'])('trains on %s and draws a falling curve', async (mode) => {
  const site = await Site.open(dir);
  const { page } = site;
  try {
    await page.selectOption('#mode', mode);
    await page.click('#start');
    await page.waitForFunction('globalThis.losses !== undefined');
    const status = await page.textContent('#status');
    expect(status).toContain(`gpu.js ${mode}`);
    expect(await page.textContent('#text')).toMatch(/“the mode.{20,}”/);
    // where the curve is, from left to right: the canvas itself, not the numbers behind it
    const heights = (await page.evaluate(`(() => {
      const canvas = document.querySelector('#curve');
      const { width, height } = canvas;
      const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
      const blue = (x, y) => data[4 * (y * width + x) + 2] > 200 && data[4 * (y * width + x)] < 120 && data[4 * (y * width + x) + 3] > 200;
      return [0.1, 0.3, 0.5, 0.7, 0.9].map((at) => {
        const x = Math.round(60 + at * (width - 80));
        for (let y = 0; y < height; y++) if (blue(x, y)) return y / height;
        return -1;
      });
    })()`)) as number[];
    await page.screenshot({ path: `${screenshots}/gpu-training-${mode}.png` });
    expect(heights.every((y) => y > 0)).toBe(true);
    expect(heights.at(-1)! - heights[0]!, heights.join()).toBeGreaterThan(0.3);
    expect(site.complaints).toEqual([]);
  } finally {
    await site.close();
  }
});
