/**
 * Images as real vectors in one sequence with ids, LoReTTa included: bits by direction, and a sheet of generated digits.
 *
 *   npm run bench -- latents [--steps 2500] [--share 0.5] [--data ../shared/data/mnist] [--out loretta-out/latents]
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { LATENT_SETTINGS, LatentRun } from '@loretta-ts/loretta';
import { mnistFolder, mnistPackage } from '@loretta-ts/loretta/node';
import { encodePng, type Image } from '@loretta-ts/tokenizers';

/** Test rows that are scored. */
const TEST_ROWS = 500;
/** Pixels of the sheet for each pixel of an image. */
const ZOOM = 2;
/** Pixels between images. */
const GAP = 2;

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: String(LATENT_SETTINGS.steps) },
    share: { type: 'string', default: String(LATENT_SETTINGS.share) },
    data: { type: 'string' },
    out: { type: 'string', default: 'loretta-out/latents' },
  },
});
const steps = Number(values.steps);
if (!Number.isSafeInteger(steps) || steps < 100)
  throw new Error(`--steps is ${values.steps}, not an integer from 100 up`);
const share = Number(values.share);
if (!(share >= 0 && share <= 1)) throw new Error(`--share is ${values.share}, not in [0, 1]`);
const folder = values.data === undefined ? undefined : resolve(values.data);
if (folder !== undefined && !existsSync(folder)) throw new Error(`--data: no folder ${folder}`);
const out = resolve(values.out);

setBackend(cpu());
const images = folder === undefined ? mnistPackage() : mnistFolder(folder);
const switchAt = Math.floor((steps * LATENT_SETTINGS.switchAt) / LATENT_SETTINGS.steps);
const run = new LatentRun(images, { ...LATENT_SETTINGS, steps, switchAt, share });
const { codec, model } = run;
const error = codec.error(images.test.items.slice(0, TEST_ROWS));
console.log(
  `${images.name}: ${codec.length} vectors of ${codec.dim}, ${(100 * codec.explained).toFixed(1)} % of the variance, ` +
    `error ${error.toFixed(4)}; ${model.parameterCount} parameters`,
);
const started = performance.now();
await run.train({
  to: steps,
  onEvent({ step, loss, bits }) {
    if (step % 100 !== 99) return;
    const each = Object.entries(bits).map(([name, x]) => `${name} ${x.toFixed(2)}`);
    console.log(`step ${step + 1}: loss ${loss.toFixed(3)}; bits ${each.join(', ')}`);
  },
});
console.log(`${((performance.now() - started) / 1000).toFixed(0)} s of training\n`);
console.log('| predicted | given | bits | alone | gain over a wrong condition |');
console.log('|---|---|---|---|---|');
for (const { from, to, bits, alone, gain } of await run.evaluate(TEST_ROWS)) {
  const cells = [bits.value, alone.value].map((x) => x.toFixed(3));
  const half = (gain.high - gain.low) / 2;
  console.log(
    `| ${to} | ${from} | ${cells.join(' | ')} | ${gain.value.toFixed(3)} ± ${half.toFixed(3)} |`,
  );
}

const real = run.testBlock('image', 10);
const sheet = tile([
  run.decode(real.latents!),
  await run.images(run.testBlock('text', 10), 0.9, 0),
  await run.images(run.testBlock('text', 10), 0.6, 1),
  await run.images(run.testBlock('code', 10), 0.6, 2),
]);
mkdirSync(out, { recursive: true });
const path = join(out, 'latents.png');
writeFileSync(path, encodePng(sheet));
console.log(
  `\n${path}: PCA of test digits; generated from captions, σ × 0.9 and 0.6; from codes, 0.6`,
);
run.dispose();

/** Rows of grey images under each other. */
function tile(rows: readonly (readonly Image[])[]): Image {
  const { width, height } = codec.shape;
  const [stepX, stepY] = [ZOOM * width + GAP, ZOOM * height + GAP];
  const size = { width: 10 * stepX + GAP, height: rows.length * stepY + GAP };
  const data = new Uint8Array(size.width * size.height).fill(90);
  rows.forEach((row, r) => {
    row.forEach((image, c) => {
      for (let i = 0; i < ZOOM * height; i++) {
        for (let j = 0; j < ZOOM * width; j++) {
          const at = (GAP + r * stepY + i) * size.width + GAP + c * stepX + j;
          data[at] = image.data[Math.floor(i / ZOOM) * width + Math.floor(j / ZOOM)]!;
        }
      }
    });
  });
  return { ...size, channels: 1, data };
}
