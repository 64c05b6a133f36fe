/** The command line with learned tokenizers: they are saved with the run, and every command reads the same. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodePng } from '@loretta-ts/tokenizers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataChoice } from '../src/cli/options';
import { dataFolder } from './data-folder';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'loretta-learned-'));
afterAll(() => rmSync(root, { recursive: true }));
const { put, putMnist, putSpeech } = dataFolder(root);

function loretta(...words: string[]): { code: number | null; out: string; err: string } {
  const program = join(repository, 'packages/loretta/src/cli/main.ts');
  const loader = ['--conditions=loretta-source', '--import'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...loader, join(repository, 'scripts/ts-loader.mjs'), program, ...words],
    { cwd: root, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
  );
  return { code: status, out: stdout, err: stderr };
}

const data = ['--data', 'data', '--quick', '--config', 'tiny.json'];
const learned = ['--image-tokenizer', 'dvae', '--speech-tokenizer', 'vq', '--tokenizer-steps', '4'];

beforeAll(() => {
  putMnist('data/mnist', 80, 20);
  putSpeech('data/fsdd/recordings', 9);
  put(
    'tiny.json',
    JSON.stringify({
      arms: ['commutative'],
      model: { dim: 16, layers: 1, heads: 2, dropout: 0 },
      train: { steps: 6, batch: 4, lrWarmup: 1 },
      transitive: { earliest: 2, latest: 3 },
      evaluate: { rows: 10, matchingRows: 10 },
    }),
  );
});

test('start learns and saves them; report and generate read them, and say so when one is gone', () => {
  const started = loretta('start', ...data, ...learned, '--workers', '1', '--out', 'run');
  expect(started.err).toContain('image codes (dvae) 4/4');
  expect(started.err).toContain('frames codes (vq) 4/4');
  expect(started.code).toBe(0);
  const files = readdirSync(join(root, 'run'));
  for (const name of ['image', 'speech']) {
    expect(files).toContain(`${name}-tokenizer.safetensors`);
    expect(files).toContain(`${name}-reconstructions.png`);
  }
  const path = join(root, 'run/report.html');
  const page = readFileSync(path, 'utf8');
  expect(page).toContain('What the tokens of image keep');
  expect(page).toContain('Rows: the originals, dvae, k-means.');
  rmSync(path);
  const reported = loretta('report', '--run', 'run');
  expect(reported.err).not.toContain('codes');
  expect(readFileSync(path, 'utf8') === page).toBe(true);

  const words = ['generate', '--run', 'run', '--arm', 'commutative', '--row', '0', '--json'];
  const made = loretta(...words, '--out', 'a.png');
  expect([made.code, made.err]).toEqual([0, '']);
  expect(decodePng(readFileSync(join(root, 'a.png'))).width).toBe(28);

  const file = join(root, 'run/image-tokenizer.safetensors');
  renameSync(file, `${file}.gone`);
  const lost = loretta(...words, '--out', 'c.png');
  expect([lost.code, lost.out]).toEqual([1, '']);
  expect(lost.err).toMatch(/image-tokenizer\.safetensors: there is no such tokenizer/);
  expect(existsSync(join(root, 'c.png'))).toBe(false);
}, 120_000);

test('train goes on with the tokenizers it began with, and refuses others', () => {
  const speech = learned.slice(2);
  expect(loretta('train', ...data, ...speech, '--json', '--out', 'half').code).toBe(0);
  const file = join(root, 'half/speech-tokenizer.safetensors');
  const before = readFileSync(file);
  expect(loretta('train', ...data, ...speech, '--resume', '--json', '--out', 'half').code).toBe(0);
  expect(readFileSync(file).equals(before)).toBe(true);
  const other = loretta('train', ...data, '--resume', '--json', '--out', 'half');
  expect(other.code).toBe(2);
  expect(other.err).toMatch(/of --image-tokenizer patches --speech-tokenizer vq, not .* again/);
}, 120_000);

test.each([
  [{ 'image-tokenizer': 'vae' }, /--image-tokenizer is 'vae': give patches, vq, dvae/],
  [{ 'speech-tokenizer': 'dvae' }, /--speech-tokenizer is 'dvae': give mfcc, vq/],
  [{ 'tokenizer-steps': '5' }, /--tokenizer-steps needs/],
  [{ 'image-tokenizer': 'vq', 'tokenizer-steps': '0' }, /--tokenizer-steps is 0/],
])('%j is refused', (words, message) => {
  const defaults = { texts: 'captions', link: 'text', quick: true } as const;
  const tokenizers = { 'image-tokenizer': 'patches', 'speech-tokenizer': 'mfcc' } as const;
  expect(() => dataChoice({ ...defaults, ...tokenizers, ...words }, 0)).toThrow(message);
  // the defaults are those of runs that knew no learned tokenizers
  expect(Object.keys(dataChoice({ ...defaults, ...tokenizers }, 0))).toEqual([
    ...['folder', 'texts', 'link', 'profile', 'seed'],
  ]);
});
