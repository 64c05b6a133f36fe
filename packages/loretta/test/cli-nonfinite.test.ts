/** The command line with a learning rate under which the loss is soon not finite: refused, or skipped as configured. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSafetensors } from '@loretta-ts/nn';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { complaint, type Ended, runLoretta } from './cli-process';
import { dataFolder } from './data-folder';

const root = mkdtempSync(join(tmpdir(), 'loretta-nonfinite-'));
afterAll(() => rmSync(root, { recursive: true }));
const { put, putMnist, putSpeech } = dataFolder(root);

function train(name: string, onNonFinite?: string): Ended {
  const settings = {
    model: { dim: 16, layers: 1, heads: 2, dropout: 0 },
    train: { steps: 6, batch: 4, lrWarmup: 1, lr: 1e30, onNonFinite },
    transitive: { earliest: 4, latest: 5 },
  };
  put(`${name}.json`, JSON.stringify(settings));
  const words = ['--arm', 'commutative', '--config', `${name}.json`, '--out', name, '--keep', '2'];
  return runLoretta(root, 'train', '--data', 'data', '--json', '--every', '1', ...words);
}

const checkpoints = (folder: string): string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.startsWith('commutative'))
    .sort();

beforeAll(() => {
  putMnist('data/mnist', 80, 20);
  putSpeech('data/fsdd/recordings', 9);
});

test('a step is refused by default, by the name of the op, and the checkpoint before it stays', () => {
  const ended = train('refused');
  expect(ended.code).toBe(1);
  expect(ended.err).toMatch(/^loretta: trainer: step 1: loss .*: \w+ .*lower the learning rate$/m);
  expect(checkpoints('refused')).toEqual(['commutative-1.safetensors', 'commutative.safetensors']);
  const { metadata } = parseSafetensors(
    readFileSync(join(root, 'refused/commutative.safetensors')),
  );
  expect(metadata.get('step')).toBe('1');
});

test('with train.onNonFinite skip each is told, and the weights are those of the last that was taken', () => {
  const ended = train('skipped', 'skip');
  expect(ended.code).toBe(0);
  const lines = ended.out.trim().split('\n');
  const steps = lines.slice(0, -1).map((line) => JSON.parse(line) as { skipped?: string });
  expect(steps[0]!.skipped).toBeUndefined();
  for (const { skipped } of steps.slice(1)) expect(skipped).toMatch(/^trainer: step \d: /);
  expect(ended.err).toMatch(/^commutative: 5 steps skipped, the first: trainer: step 1: /m);
  expect(checkpoints('skipped')).toEqual(
    ['-5', '-6', ''].map((step) => `commutative${step}.safetensors`),
  );
  const tensors = (folder: string): Buffer => {
    const bytes = readFileSync(join(root, folder, 'commutative.safetensors'));
    return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));
  };
  expect(tensors('skipped').equals(tensors('refused'))).toBe(true);
});

test('another word is refused before anything is read', () => {
  const ended = train('wrong', 'ignore');
  expect(ended.code).toBe(2);
  expect(complaint(ended)).toMatch(/train\.onNonFinite: .*refuse.*skip/);
  expect(existsSync(join(root, 'wrong'))).toBe(false);
});
