/** Wrong words and wrong manifests of `generate` and `impute`, in this process: they are refused before anything loads. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { runCli } from '../src/cli/run';
import { DataError } from '../src/data/errors';
import { readManifest } from '../src/node/manifest';

const root = mkdtempSync(join(tmpdir(), 'loretta-infer-'));
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

async function complaint(words: readonly string[]): Promise<{ code: number; said: string }> {
  const out = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const err = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const code = await runCli(words);
  expect(out).not.toHaveBeenCalled();
  expect(err).toHaveBeenCalledTimes(1);
  return { code, said: stripVTControlCharacters(String(err.mock.calls[0]![0])) };
}

describe('wrong use ends with 2', () => {
  const generate = ['generate', '--row', '1'];
  test.each<[string, readonly string[], RegExp]>([
    ['the same modality', [...generate, '--from', 'text,image'], /--from and --to are both image/],
    ['a modality twice', [...generate, '--from', 'text,text'], /name each modality once/],
    ['one that is none', [...generate, '--from', 'text,sound'], /--from is 'sound'/],
    [
      'a condition without its value',
      ['generate', '--from', 'speech,text', '--text', 'x'],
      /give --speech/,
    ],
    ['a value that is not asked for', [...generate, '--text', 'x'], /--text: --from does not/],
    ['a row and a value', [...generate, '--speech', 'x.wav'], /either --input or --row/],
    ['input for nothing', [...generate, '--from', 'none'], /--from none has no --input/],
    ['a scale of no condition', [...generate, '--guidance', 'text:2'], /none of --from speech/],
    ['a scale that is none', [...generate, '--guidance', 'speech:x'], /--guidance is 'x'/],
    [
      'scales of a chain',
      [...generate, '--via', 'text', '--guidance', 'speech:2'],
      /--via takes one scale/,
    ],
    ['a link that is given', [...generate, '--via', 'speech'], /--via speech/],
    ['a share above 1', [...generate, '--top-p', '1.5'], /--top-p is '1.5'/],
    ['no tokens to keep', [...generate, '--top-k', '0'], /--top-k is 0/],
    ['chains and candidates', [...generate, '--chains', '2', '--best', '2'], /either/],
    ['candidates of a chain', [...generate, '--via', 'text', '--best', '2'], /use --chains/],
    ['lambda that is no number', [...generate, '--lambda', 'x'], /--lambda is 'x'/],
    ['nothing to fill in', ['impute'], /either --manifest or --rows/],
    ['both', ['impute', '--rows', '1', '--manifest', 'x'], /either --manifest or --rows/],
    ['rows that miss nothing', ['impute', '--rows', '2'], /--rows needs --missing/],
    [
      'rows that miss everything',
      ['impute', '--rows', '2', '--missing', 'image,text,speech'],
      /one or two modalities/,
    ],
    ['a pick that is none', ['impute', '--rows', '2', '--pick', 'x'], /--pick is 'x'/],
    ['a route that is none', ['impute', '--rows', '2', '--route', 'x'], /--route is 'x'/],
    ['a vote without a consensus', ['impute', '--rows', '2', '--vote'], /--vote needs/],
  ])('%s', async (_name, words, message) => {
    const { code, said } = await complaint([...words, '--run', join(root, 'none')]);
    expect(said).toMatch(message);
    expect(code).toBe(2);
    expect(readdirSync(root)).toEqual([]);
  });
});

describe('readManifest', () => {
  const write = (text: string): string => {
    const path = join(root, 'rows.json');
    writeFileSync(path, text);
    return path;
  };

  test('takes paths from its own folder, and texts as they are', () => {
    const rows = [
      { speech: 'a.wav', image: null },
      { text: 'seven', image: '/b.png' },
    ];
    expect(readManifest(write(JSON.stringify(rows)))).toEqual([
      { speech: join(root, 'a.wav') },
      { text: 'seven', image: '/b.png' },
    ]);
  });

  test.each([
    ['what is no JSON', '[{', /is not JSON/],
    ['what is no list', '{}', /expected array/],
    ['an empty list', '[]', /rows\.json/],
    ['an unknown modality', '[{"speech": "a.wav"}, {"sound": "a.wav"}]', /row 1: .*sound/],
    ['a path that is none', '[{"image": 3}]', /row 0: /],
    ['a row of nothing', '[{"image": null}]', /row 0: has nothing/],
  ])('refuses %s', (_name, text, message) => {
    const path = write(text);
    expect(() => readManifest(path)).toThrow(DataError);
    expect(() => readManifest(path)).toThrow(message);
  });
});
