import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodeWav } from '@loretta-ts/tokenizers';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { DataError, type DataErrorKind } from '../src/data/errors';
import { parseIdxImages, parseIdxLabels } from '../src/data/idx';
import { fsddFolder } from '../src/data/node/fsddFolder';
import { mnistFolder } from '../src/data/node/mnistFiles';
import { folderSvl } from '../src/data/node/svl';
import { textCsv } from '../src/data/node/textCsv';
import { dataFolder, digits, idx, tone } from './data-folder';

const root = mkdtempSync(join(tmpdir(), 'loretta-data-'));
afterAll(() => rmSync(root, { recursive: true }));

const { put, putMnist, putSpeech } = dataFolder(root);

/** Runs what must be refused and gives the error. */
async function refused(kind: DataErrorKind, run: () => unknown): Promise<DataError> {
  try {
    await run();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).kind).toBe(kind);
    expect((error as DataError).message).not.toContain('\n');
    return error as DataError;
  }
  throw new Error('nothing was refused');
}

describe('IDX', () => {
  test('reads images and labels as they were written', () => {
    const images = parseIdxImages(idx(2051, [3, 2, 4], digits(24)), 'images');
    expect(images).toHaveLength(3);
    expect(images[1]).toEqual({
      width: 4,
      height: 2,
      channels: 1,
      data: Uint8Array.from(digits(24).slice(8, 16)),
    });
    expect(parseIdxLabels(idx(2049, [3], [7, 0, 9]), 'labels', 10)).toEqual(Int32Array.of(7, 0, 9));
  });

  test('any cut or lengthening is refused by an error that names the file', async () => {
    const whole = idx(2051, [3, 4, 4], digits(48));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 9 }),
        async (n, more) => {
          const cut = await refused('format', () =>
            parseIdxImages(whole.subarray(0, n), 'x-images'),
          );
          expect(cut.where).toBe('x-images');
          const long = new Uint8Array(whole.length + more);
          long.set(whole);
          await refused('format', () => parseIdxImages(long, 'x-images'));
        },
      ),
      { seed: 1 },
    );
  });

  test('refuses the wrong magic number, absurd sizes and labels that are no class', async () => {
    await refused('format', () => parseIdxImages(idx(2049, [1, 2, 2], [1, 2, 3, 4]), 'x'));
    await refused('format', () => parseIdxImages(idx(2051, [1, 0, 2], []), 'x'));
    await refused('format', () => parseIdxImages(idx(2051, [2 ** 31, 4096, 4096], [1]), 'x'));
    await refused('format', () => parseIdxLabels(idx(2049, [2], [1, 10]), 'x', 10));
  });

  test('a folder may hold plain or gzipped files; damage names the file', async () => {
    putMnist('mnist-a', 30, 20);
    const source = mnistFolder(join(root, 'mnist-a'));
    expect([source.train.items.length, source.test.items.length]).toEqual([30, 20]);
    expect(source.train.labels.slice(0, 12)).toEqual(Int32Array.from(digits(12)));
    expect(source.train.items[4]!.data.slice(0, 3)).toEqual(Uint8Array.of(4, 41, 42));
    const zipped = gzipSync(idx(2049, [30], digits(30)));
    put('mnist-a/train-labels-idx1-ubyte.gz', zipped.subarray(0, 20));
    const cut = await refused('format', () => mnistFolder(join(root, 'mnist-a')));
    expect(cut.where).toContain('train-labels-idx1-ubyte.gz');
    put('mnist-a/train-labels-idx1-ubyte.gz', gzipSync(idx(2049, [29], digits(29))));
    const unequal = await refused('format', () => mnistFolder(join(root, 'mnist-a')));
    expect(unequal.message).toContain('29 labels for 30 images');
    const none = await refused('missing', () => mnistFolder(join(root, 'nowhere')));
    expect(none.message).toContain('no such file');
  });
});

describe('FSDD', () => {
  test('index 0 to 4 of every speaker tests, the rest trains; other files are ignored', () => {
    putSpeech('fsdd-a', 7);
    put('fsdd-a/3_bob_0.wav', tone(3, 0));
    put('fsdd-a/3_bob_12.wav', tone(3, 1));
    put('fsdd-a/README.md', 'not a recording');
    const source = fsddFolder(join(root, 'fsdd-a'));
    expect(source.test.items).toHaveLength(51);
    expect(source.train.items).toHaveLength(21);
    expect([...source.train.labels].filter((d) => d === 3)).toHaveLength(3);
    expect(source.test.items[0]!.sampleRate).toBe(8000);
  });

  test('a truncated recording is refused by its name, wherever it is cut', async () => {
    const whole = tone(1, 0);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (n) => {
        const path = put('fsdd-b/1_ada_0.wav', whole.subarray(0, n));
        const error = await refused('format', () => fsddFolder(join(root, 'fsdd-b')));
        expect(error.where).toBe(path);
      }),
      { seed: 2, numRuns: 30 },
    );
  });

  test('refuses an empty folder, none at all, and a mixture of sample rates', async () => {
    mkdirSync(join(root, 'fsdd-c'));
    await refused('missing', () => fsddFolder(join(root, 'fsdd-c')));
    await refused('missing', () => fsddFolder(join(root, 'fsdd-d')));
    put('fsdd-c/0_ada_5.wav', tone(0, 0));
    put('fsdd-c/0_ada_6.wav', encodeWav({ sampleRate: 16000, samples: new Float32Array(99) }));
    expect((await refused('format', () => fsddFolder(join(root, 'fsdd-c')))).where).toContain('_6');
  });
});

describe('text CSV', () => {
  test('reads quoted fields, columns by name, and leaves empty rows out', () => {
    const path = put(
      'a.csv',
      '\ufefflabel,split,description\r\n0,train,"plum, ""ripe""\nand dark"\n1,test,oak\n,train,none\n1,train,\n',
    );
    const source = textCsv(path);
    expect(source.train).toEqual({
      items: ['plum, "ripe"\nand dark'],
      labels: Int32Array.of(0),
    });
    expect(source.test).toEqual({ items: ['oak'], labels: Int32Array.of(1) });
  });

  test('without a split column every fifth text of a class tests', () => {
    const rows = Array.from({ length: 20 }, (_, i) => `${i % 2},word ${i}`);
    const source = textCsv(put('b.csv', ['label,text', ...rows].join('\n')));
    expect(source.test.items).toEqual(['word 8', 'word 9', 'word 18', 'word 19']);
    expect(source.train.items).toHaveLength(16);
  });

  test('says what is wrong with a file', async () => {
    const wrong = async (content: string, part: string) => {
      const error = await refused('format', () => textCsv(put('c.csv', content)));
      expect(error.message).toContain(part);
    };
    await wrong('label,text\n0,"open', 'not CSV');
    await wrong('label,text\n0,one,two', 'not CSV');
    await wrong('class,text\n0,one', 'no column label');
    await wrong('', 'no column label');
    await wrong('label,text\nten,one', 'label "ten"');
    await wrong('label,text\n11,one', 'label "11"');
    await wrong('label,text,split\n1,one,dev', 'split "dev"');
    await refused('missing', () => textCsv(join(root, 'none.csv')));
  });
});

describe('a data folder', () => {
  test('is aligned whole, with captions or real texts, and its gaps are named', async () => {
    putMnist('data/mnist', 80, 20);
    putSpeech('data/fsdd/recordings', 9);
    const words = ['oak', 'plum', 'pear', 'lime', 'rose', 'mint', 'smoke', 'salt', 'honey', 'fig'];
    const rows = Array.from({ length: 120 }, (_, i) => {
      return `${i % 10},${i < 100 ? 'train' : 'test'},A wine of ${words[i % 10]} and note ${i % 3}.`;
    });
    put('data/wine/wine.csv', ['label,split,description', ...rows].join('\n'));
    const folder = join(root, 'data');
    const seed = 1;
    const captioned = await folderSvl(folder, {
      seed,
      profile: 'quick',
      image: { kind: 'codebook', codes: 8 },
    });
    expect(captioned.unseen).toEqual(['image', 'speech']);
    expect(captioned.pairs.map((p) => p.size)).toEqual([80, 40]);
    const real = await folderSvl(folder, {
      seed,
      texts: 'wine',
      text: { kind: 'words', maxLength: 5 },
    });
    const text = real.modalities['text']!;
    expect([text.fixedLength, text.maxLength]).toEqual([false, 5]);
    expect(text.train.lengths!.every((n) => n === 5)).toBe(true);
    expect(text.decode(text.encode({ kind: 'text', text: 'a wine of oak' }))).toEqual({
      kind: 'text',
      text: 'a wine of oak',
    });
    const linked = await folderSvl(folder, { seed, texts: 'wine', link: 'speech' });
    expect(linked.unseen).toEqual(['image', 'text']);
    expect(() => linked.guard({ modalities: ['image', 'text'], index: [0, 0] })).toThrow(DataError);
    await refused('config', () =>
      folderSvl(folder, { seed, texts: 'sotu', text: { kind: 'caption' } }),
    );
    expect(
      (await refused('missing', () => folderSvl(folder, { seed, texts: 'sotu' }))).where,
    ).toContain('sotu.csv');
    const labels = digits(80).map((d) => (d === 6 ? 5 : d));
    put('data/mnist/train-labels-idx1-ubyte.gz', gzipSync(idx(2049, [80], labels)));
    const gap = await refused('class', () => folderSvl(folder, { seed }));
    expect(gap.message).toContain('image: class 6 has no training samples');
  });
});
