/** Earlier checkpoints: the last saves that went well are kept, and nothing else is touched. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { full, key, setBackend } from '@loretta-ts/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckpointError, Decoder } from '../src/index';
import { keepCheckpoint, readCheckpointMetadata, saveCheckpoint } from '../src/node';

const root = mkdtempSync(join(tmpdir(), 'nn-rotation-'));
afterAll(() => rmSync(root, { recursive: true }));
beforeAll(() => setBackend(referenceBackend()));

let folders = 0;
function folder(): string {
  const path = join(root, String(folders++));
  mkdirSync(path);
  return path;
}

/** A file written so many seconds ago. */
function put(path: string, text: string, ago = 0): void {
  writeFileSync(path, text);
  const time = Date.now() / 1000 - ago;
  utimesSync(path, time, time);
}

describe('keepCheckpoint', () => {
  it('keeps the last saves that went well, whatever fails between them', async () => {
    const model = new Decoder({ vocab: 4, dim: 4, layers: 1, heads: 2, maxLength: 4 }, key(0));
    const weight = model.parameters()[0]!;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 4 }),
        async (saves, keep) => {
          const path = join(folder(), 'model.safetensors');
          const well: number[] = [];
          for (const [step, healthy] of saves.entries()) {
            weight.assign(full(weight.value.shape, healthy ? step : Number.NaN));
            try {
              await saveCheckpoint(path, { model, metadata: { step: String(step) } });
              await keepCheckpoint(path, { step, keep });
              well.unshift(step);
            } catch (error) {
              expect([healthy, (error as Error).name]).toEqual([false, 'NonFiniteError']);
            }
          }
          const last = well.slice(0, keep);
          const names = last.map((step) => `model-${step}.safetensors`);
          const newest = well.length === 0 ? [] : ['model.safetensors'];
          expect(readdirSync(join(path, '..')).sort()).toEqual([...names, ...newest].sort());
          for (const step of last) {
            const metadata = await readCheckpointMetadata(path.replace('model.', `model-${step}.`));
            expect(metadata.get('step')).toBe(String(step));
          }
        },
      ),
      { numRuns: 30 },
    );
    model.dispose();
  });

  it('gives what it keeps, the latest first, and leaves other names alone', async () => {
    const dir = folder();
    const others = ['a-.bin', 'a-7', 'a-8.txt', 'b-9.bin', 'a-1-x.bin', 'a-b-2.bin', 'a-1.5.bin'];
    for (const name of others) put(join(dir, name), name, 1000);
    mkdirSync(join(dir, 'a-5.bin')); // no checkpoint
    put(join(dir, 'a-10.bin'), 'ten', 30);
    put(join(dir, 'a-9.bin'), 'nine', 20);
    put(join(dir, 'a-30.bin'), 'of a training before', 40);
    put(join(dir, 'a.bin'), 'eleven');
    const kept = await keepCheckpoint(join(dir, 'a.bin'), { step: 11, keep: 3 });
    expect(kept).toEqual(['a-11.bin', 'a-9.bin', 'a-10.bin'].map((name) => join(dir, name)));
    expect(readFileSync(kept[0]!, 'utf8')).toBe('eleven');
    const all = [...others, 'a-5.bin', 'a.bin', 'a-11.bin', 'a-9.bin', 'a-10.bin'];
    expect(readdirSync(dir).sort()).toEqual(all.sort());
  });

  it('takes the place of one of the same step', async () => {
    const dir = folder();
    put(join(dir, 'a-3.bin'), 'old', 10);
    put(join(dir, 'a-2.bin'), 'two', 20);
    put(join(dir, 'a.bin'), 'new');
    await keepCheckpoint(join(dir, 'a.bin'), { step: 3, keep: 2 });
    expect(readFileSync(join(dir, 'a-3.bin'), 'utf8')).toBe('new');
    expect(existsSync(join(dir, 'a-2.bin'))).toBe(true);
  });

  it('removes nothing when there is no checkpoint, or no place for it', async () => {
    const dir = folder();
    put(join(dir, 'a-1.bin'), 'one', 10);
    const path = join(dir, 'a.bin');
    await expect(keepCheckpoint(path, { step: 2, keep: 1 })).rejects.toThrow(
      new CheckpointError(`${path}: cannot be read (ENOENT): check the path`),
    );
    put(path, 'two');
    mkdirSync(join(dir, 'a-2.bin'));
    await expect(keepCheckpoint(path, { step: 2, keep: 1 })).rejects.toThrow(CheckpointError);
    expect(readdirSync(dir).sort()).toEqual(['a-1.bin', 'a-2.bin', 'a.bin']);
  });

  it.each([
    [{ step: -1, keep: 1 }, 'step -1 is not an integer from 0'],
    [{ step: 1.5, keep: 1 }, 'step 1.5 is not an integer from 0'],
    [{ step: 1, keep: 0 }, 'keep 0 is not an integer from 1'],
    [{ step: 1, keep: Number.NaN }, 'keep NaN is not an integer from 1'],
  ])('refuses %j', async (options, what) => {
    const error: unknown = await keepCheckpoint(join(root, 'no'), options).catch((e) => e);
    expect(error).toMatchObject({ name: 'ValueError', message: `keepCheckpoint: ${what}` });
  });
});
