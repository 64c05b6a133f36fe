/** Commands that only look: inspect, tokenize, completion. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveSafetensors } from '@loretta-ts/nn/node';
import { BpeTokenizer } from '@loretta-ts/tokenizers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { argv, complaint, type Ended, runLoretta } from './cli-process';

const root = mkdtempSync(join(tmpdir(), 'loretta-look-'));
afterAll(() => rmSync(root, { recursive: true }));
const loretta = (...words: string[]): Ended => runLoretta(root, ...words);
const file = (name: string): string => join(root, name);

beforeAll(async () => {
  await saveSafetensors(
    file('some.safetensors'),
    new Map([
      [
        'layer.weight',
        { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, -4, Number.NaN, 6) },
      ],
      ['layer.bias', { dtype: 'F16', shape: [2], data: Float32Array.of(0.5, 0.25) }],
      ['empty', { dtype: 'I32', shape: [0], data: new Int32Array(0) }],
      ['exp_avg/layer.weight', { dtype: 'F32', shape: [2, 3], data: new Float32Array(6) }],
    ]),
    { step: '7', odd: 'a\u001b[31mb' },
  );
  writeFileSync(file('model.pt'), Buffer.from('PK\u0003\u0004 a zip of pickles'));
  writeFileSync(file('old.bin'), Buffer.from([0x80, 2, 0x63]));
  const bpe = BpeTokenizer.train(['low lower lowest low low'], { vocabSize: 270 });
  writeFileSync(file('tokenizer.json'), JSON.stringify(bpe));
});

describe('inspect', () => {
  it('shows tensors, metadata and totals', () => {
    const { code, out, err } = loretta('inspect', 'some.safetensors');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(
      /^some\.safetensors {2}[\d.]+ B, 8 numbers and 6 of an optimiser's state in 4 tensors\n/,
    );
    expect(out).toMatch(/layer\.weight +F32 \[2, 3\] +24 B/);
    expect(out).toMatch(/layer\.bias +F16 \[2\] +4 B/);
    expect(out).toContain('step: 7');
    expect(out).not.toContain('\u001b');
  });

  it('reads the values when asked', () => {
    const { out } = loretta(
      'inspect',
      'some.safetensors',
      '--stats',
      '--json',
      '--filter',
      'layer',
    );
    const { files } = JSON.parse(out);
    expect(files[0].parameters).toBe(8);
    const named = new Map(files[0].tensors.map((t: { name: string }) => [t.name, t]));
    expect(named.get('layer.bias')).toMatchObject({
      stats: { min: 0.25, max: 0.5, mean: 0.375, nonFinite: 0 },
    });
    expect(named.get('layer.weight')).toMatchObject({
      stats: { min: -4, max: 6, mean: 1.6, nonFinite: 1 },
    });
  });

  it.each([
    ['missing.safetensors', /no such file/, 1],
    ['model.pt', /pickle.*safetensors/, 1],
    ['old.bin', /pickle.*safetensors/, 1],
    ['tokenizer.json', /tokenizer\.json/, 1],
  ])('%s is refused in one line', (name, message, code) => {
    const ended = loretta('inspect', name);
    expect(complaint(ended)).toMatch(message);
    expect(ended.code).toBe(code);
  });

  it('wants one path', () => {
    expect(complaint(loretta('inspect'))).toMatch(/FILE is missing/);
    expect(loretta('inspect', 'a', 'b').code).toBe(2);
  });
});

describe('tokenize', () => {
  it('shows what each id adds, and that the text comes back', () => {
    const { code, out } = loretta('tokenize', 'low', '--tokenizer', 'tokenizer.json');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^ *\d+ {2}"low"\n1 tokens, 3\.00 characters a token; decodes to the same text\n$/,
    );
  });

  it('goes both ways as JSON', () => {
    const made = JSON.parse(loretta('tokenize', 'né 🎈', '--json').out);
    expect(made.ids).toEqual([...Buffer.from('né 🎈')]);
    expect(made.decoded).toBe('né 🎈');
    expect(loretta('tokenize', '--decode', made.ids.join(' ')).out).toBe('né 🎈\n');
  });

  it('reads standard input', () => {
    const { stdout } = spawnSync(process.execPath, argv('tokenize', '--json'), {
      cwd: root,
      input: 'abc',
    });
    expect(JSON.parse(String(stdout)).ids).toEqual([97, 98, 99]);
  });

  it.each([
    [['x', '--decode', '1'], /either TEXT or/],
    [['--decode', '1 two'], /'two' is not an id/],
    [['--decode', '256'], /from 0 to 255/],
  ])('%j is wrong use', (words, message) => {
    const ended = loretta('tokenize', ...words);
    expect(complaint(ended)).toMatch(message);
    expect(ended.code).toBe(2);
  });

  it('a file that is no tokenizer fails in one line', () => {
    writeFileSync(file('broken.json'), '{"model": {}}');
    const ended = loretta('tokenize', 'x', '--tokenizer', 'broken.json');
    expect(complaint(ended)).toMatch(/broken\.json/);
    expect(ended.code).toBe(1);
  });
});

describe('completion', () => {
  /** What bash offers for the words, the last of which is being written. */
  function offered(...words: string[]): string[] {
    const line = ['loretta', ...words].map((w) => `'${w}'`).join(' ');
    const program = `${loretta('completion', 'bash').out}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _loretta; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', program], { cwd: root, encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.trim().split('\n');
  }

  it('offers commands, options and files', () => {
    expect(offered('in')).toEqual(['inspect']);
    expect(offered('')).toContain('train');
    expect(offered('train', '--res')).toEqual(['--resume']);
    expect(offered('inspect', 'some')).toEqual(['some.safetensors']);
    expect(offered('tokenize', '--tokenizer', 'tok')).toEqual(['tokenizer.json']);
  });

  it('has a script for zsh and fish, and no other', () => {
    expect(loretta('completion', 'zsh').out).toContain('bashcompinit');
    expect(loretta('completion', 'fish').out).toMatch(
      /complete -c loretta -n .*train.* -l resume -d/,
    );
    expect(loretta('completion', 'tcsh').code).toBe(2);
  });
});

it('the help page of the program fits into 100 columns and names all commands', () => {
  const { out } = loretta('--help');
  for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  for (const name of ['inspect', 'tokenize', 'completion']) expect(out).toContain(name);
});
