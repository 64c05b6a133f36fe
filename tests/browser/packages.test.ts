/** The packed packages in a page: in a Vite app, and from a script of type module without a bundler. */
import { rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Site } from '../../scripts/chromium.mjs';
import { type PackageName, packAll, projectWith } from '../packages/consumer';

let project = '';
let tarballs: ReadonlyMap<PackageName, string>;

beforeAll(async () => {
  tarballs = await packAll();
  const wanted = ['core', 'backend-cpu', 'nn', 'tokenizers', 'loretta'] as const;
  project = await projectWith(wanted.map((name) => tarballs.get(name)!));
}, 300_000);

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
  for (const file of tarballs.values()) rmSync(dirname(file), { recursive: true, force: true });
});

/** The page's `document.body.dataset.said` once it is there. */
async function said(dir: string, isolated: boolean): Promise<string> {
  const site = await Site.open(dir, isolated);
  try {
    site.page.setDefaultTimeout(60_000);
    await site.page.waitForFunction('document.body.dataset.said !== undefined');
    expect(site.complaints).toEqual([]);
    return String(await site.page.evaluate('document.body.dataset.said'));
  } finally {
    await site.close();
  }
}

const html = (script: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>packages</title><link rel="icon" href="data:,"></head><body>${script}</body></html>`;

it.each([
  [false, '1 thread'],
  [true, 'threads'],
])('core and the CPU backend without a bundler; isolated: %s', async (isolated, threads) => {
  const imports = {
    '@loretta-ts/core': './node_modules/@loretta-ts/core/dist/index.js',
    '@loretta-ts/backend-cpu': './node_modules/@loretta-ts/backend-cpu/dist/index.js',
  };
  const page = html(`<script type="importmap">${JSON.stringify({ imports })}</script>
    <script type="module">
      import { cpu } from '@loretta-ts/backend-cpu';
      import { setBackend, tensor, valueAndGrad } from '@loretta-ts/core';
      const backend = cpu();
      setBackend(backend);
      const w = tensor([1, 2, 3]);
      const { value, grads } = valueAndGrad([w], () => w.mul(w).sum());
      const { executor, simd, threads } = backend.info();
      document.body.dataset.said = [await value.item(), [...(await grads.get(w).data())], simd !== 'none', threads > 1 ? 'threads' : '1 thread'].join(' ');
    </script>`);
  await writeFile(join(project, 'index.html'), page);
  expect(await said(project, isolated)).toBe(`14 2,4,6 true ${threads}`);
});

it('a Vite app trains a small decoder', async () => {
  const app = join(project, 'app');
  await mkdir(app, { recursive: true });
  await writeFile(join(app, 'index.html'), html('<script type="module" src="./main.js"></script>'));
  await writeFile(
    join(app, 'main.js'),
    `
    import { cpu } from '@loretta-ts/backend-cpu';
    import { crossEntropy, key, setBackend, tensor, tidy, valueAndGrad } from '@loretta-ts/core';
    import { ModalityGraph } from '@loretta-ts/loretta';
    import { AdamW, Decoder } from '@loretta-ts/nn';
    import { ByteTokenizer } from '@loretta-ts/tokenizers';
    setBackend(cpu());
    const ids = new ByteTokenizer().encodeText('abcabcabcabcabca');
    const model = new Decoder({ vocab: 256, dim: 16, layers: 1, heads: 2, maxLength: 16 }, key(0));
    const params = model.parameters();
    const optimizer = new AdamW(model.namedParameters(), { lr: 1e-2 });
    const x = tensor(ids.slice(0, 15), { shape: [1, 15] });
    const y = tensor(ids.slice(1), { shape: [15] });
    const losses = [];
    for (let step = 0; step < 30; step++) {
      losses.push(tidy(() => {
        const { value, grads } = valueAndGrad(params, () => crossEntropy(model.logits(model.forward(x)).reshape(15, 256), y).mean());
        optimizer.step(grads);
        return value.itemSync();
      }));
    }
    const graph = new ModalityGraph(['a', 'b', 'c'], [['a', 'b'], ['b', 'c']]);
    document.body.dataset.said = [losses.at(-1) < losses[0] / 2, graph.missing().join('-')].join(' ');
  `,
  );
  const outDir = join(project, 'built');
  const warnings: string[] = [];
  await build({
    root: app,
    base: './',
    configFile: false,
    logLevel: 'silent',
    build: {
      outDir,
      target: 'es2022',
      chunkSizeWarningLimit: 4096,
      rolldownOptions: { onwarn: ({ message }) => warnings.push(message) },
    },
  });
  expect(warnings.filter((text) => /node:|externalized/.test(text))).toEqual([]);
  expect(await said(outDir, false)).toBe('true a,c');
});
