/** The command line as a process: exit codes, one-line errors, what it leaves behind. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { argv, complaint, type Ended, runLoretta } from './cli-process';
import { dataFolder, digits, idx, tone } from './data-folder';

const root = mkdtempSync(join(tmpdir(), 'loretta-cli-'));
afterAll(() => rmSync(root, { recursive: true }));
const loretta = (...words: string[]): Ended => runLoretta(root, ...words);
const { put, putMnist, putSpeech } = dataFolder(root);

const settings = {
  arms: ['commutative', 'transitive'],
  model: { dim: 16, layers: 1, heads: 2, dropout: 0 },
  train: { steps: 40, batch: 4, lrWarmup: 1 },
  transitive: { earliest: 2, latest: 3 },
  evaluate: { rows: 10, matchingRows: 10 },
};

beforeAll(() => {
  putMnist('data/mnist', 80, 20);
  putSpeech('data/fsdd/recordings', 9);
  put('tiny.json', JSON.stringify(settings));
});

const COMMANDS = [
  'start',
  'train',
  'evaluate',
  'generate',
  'impute',
  'report',
  'experiments',
  'data',
  'inspect',
  'tokenize',
  'config',
  'completion',
];

describe('help', () => {
  test('names every command', () => {
    const { code, out } = loretta('--help');
    expect(code).toBe(0);
    for (const name of COMMANDS) expect(out).toContain(name);
    expect(out).not.toContain('\u001b');
  });

  test.each(COMMANDS)('%s has options and examples', (name) => {
    const { code, out, err } = loretta(name, '--help');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(new RegExp(`EXAMPLES\\s+loretta ${name}`));
  });
});

describe('wrong use ends with 2', () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['no command', [], /give a command/],
    ['an unknown command', ['trian'], /no command 'trian'/],
    ['an unknown option', ['start', '--sede', '1'], /--sede/],
    ['a seed that is none', ['start', '--seed', '1.5'], /--seed is '1.5': give an integer/],
    ['an unknown arm', ['train', '--arm', 'magic'], /--arm is 'magic': give causal/],
    ['an unknown backend', ['train', '--backend', 'tpu'], /tpu/],
    ['a misspelt key', ['start', '--config', 'misspelt.json'], /train.*stpes/],
    ['a value out of range', ['start', '--config', 'range.json'], /model.dropout/],
    ['a file that is no JSON', ['start', '--config', 'broken.json'], /broken.json/],
    ['resuming nothing', ['train', '--resume', '--out', 'new'], /--resume/],
    [
      'both inputs',
      ['generate', '--row', '1', '--input', 'x', '--run', 'none'],
      /either --input or/,
    ],
    ['no rows', ['evaluate', '--rows', '0', '--run', 'none'], /--rows is 0/],
  ];
  beforeAll(() => {
    put('misspelt.json', JSON.stringify({ train: { stpes: 5 } }));
    put('range.json', JSON.stringify({ model: { dropout: 2 } }));
    put('broken.json', '{"seed": ');
  });

  test.each(cases)('%s', (_name, words, message) => {
    const before = readdirSync(root);
    const ended = loretta(...words);
    expect(complaint(ended)).toMatch(message);
    expect(ended.code).toBe(2);
    expect(readdirSync(root)).toEqual(before);
  });
});

describe('bad data ends with 1 and leaves nothing', () => {
  const whole = idx(2051, [80, 28, 28], new Uint8Array(80 * 784));
  const cases: readonly (readonly [string, () => void, RegExp])[] = [
    ['no such folder', () => undefined, /no such folder: give --data/],
    [
      'a missing file',
      () => {
        putSpeech('bad/fsdd/recordings', 9);
      },
      /mnist/,
    ],
    [
      'a truncated IDX file',
      () => {
        putMnist('bad/mnist', 80, 20);
        putSpeech('bad/fsdd/recordings', 9);
        put('bad/mnist/t10k-images-idx3-ubyte', whole.subarray(0, 999));
      },
      /t10k-images-idx3-ubyte/,
    ],
    [
      'a truncated WAV file',
      () => {
        putMnist('bad/mnist', 80, 20);
        putSpeech('bad/fsdd/recordings', 9);
        put('bad/fsdd/recordings/7_ada_6.wav', tone(7, 6).subarray(0, 30));
      },
      /7_ada_6\.wav/,
    ],
    [
      'a class without samples',
      () => {
        putMnist('bad/mnist', 80, 20);
        putSpeech('bad/fsdd/recordings', 9);
        put(
          'bad/mnist/t10k-labels-idx1-ubyte',
          idx(
            2049,
            [20],
            digits(20).map((d) => (d === 6 ? 5 : d)),
          ),
        );
      },
      /class 6/,
    ],
  ];

  test.each(cases)('%s', (_name, make, message) => {
    rmSync(join(root, 'bad'), { recursive: true, force: true });
    make();
    const before = readdirSync(root);
    const ended = loretta('start', '--data', 'bad', '--config', 'tiny.json', '--out', 'half');
    expect(complaint(ended)).toMatch(message);
    expect(ended.code).toBe(1);
    expect(readdirSync(root)).toEqual(before);
  });
});

describe('a run from its start to what is made of it', () => {
  beforeAll(() => {
    const ended = loretta(
      ...['start', '--data', 'data', '--quick', '--config', 'tiny.json', '--workers', '1'],
      ...['--out', 'run', '--json'],
    );
    expect(ended.err).toBe('');
    expect(ended.code).toBe(0);
    const run = JSON.parse(ended.out);
    expect(run.arms.map((a: { arm: string }) => a.arm)).toEqual(settings.arms);
    expect(run).toEqual(JSON.parse(readFileSync(join(root, 'run/run.json'), 'utf8')));
  }, 120_000);

  test('writes checkpoints, results and a page that needs nothing else', () => {
    expect(readdirSync(join(root, 'run')).sort()).toEqual([
      'commutative-speech-to-image.png',
      'commutative.safetensors',
      'report.html',
      'run.json',
      'transitive-any-to-image.png',
      'transitive-any-to-speech.png',
      'transitive-speech-to-image.png',
      'transitive.safetensors',
    ]);
    const page = readFileSync(join(root, 'run/report.html'), 'utf8');
    expect(page).toContain('<svg');
    expect(page).toContain('<audio');
    expect(page).toContain('Any mixture, transitive');
    expect(page).not.toContain('Any mixture, commutative');
    expect(page).toMatch(/alt="image from text \+ speech: rows of classes 0 1 /);
    expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });

  test('the page says what its pictures show, and holds every number', () => {
    const page = readFileSync(join(root, 'run/report.html'), 'utf8');
    const tags = (pattern: RegExp): string[] => [...page.matchAll(pattern)].map(([tag]) => tag);
    const pictures = tags(/<img [^>]*>/g);
    expect(pictures.length).toBeGreaterThan(10);
    expect(pictures.filter((tag) => !/ alt="[^"]+"/.test(tag))).toEqual([]);
    const plots = tags(/<svg [^>]*class="plot[^>]*>/g);
    expect(plots.length).toBeGreaterThan(3);
    expect(
      plots.filter((tag) => !/role="img"/.test(tag) || !/aria-label="[^"]+"/.test(tag)),
    ).toEqual([]);
    expect(tags(/<audio [^>]*>/g).filter((tag) => !/aria-label="[^"]+"/.test(tag))).toEqual([]);
    const json = /<script type="application\/json" id="run">(.*)<\/script>/.exec(page)![1]!;
    expect(JSON.parse(json)).toEqual(JSON.parse(readFileSync(join(root, 'run/run.json'), 'utf8')));
    const { arms } = JSON.parse(json) as { arms: { curve: { loss: number }[] }[] };
    for (const { loss } of arms.flatMap((arm) => arm.curve)) {
      expect(page).toContain(`<td>${loss.toFixed(4)}</td>`);
    }
    expect(page).toContain('@media print');
  });

  test('report writes the same page again', () => {
    const path = join(root, 'run/report.html');
    const first = readFileSync(path, 'utf8');
    rmSync(path);
    const ended = loretta('report', '--run', 'run');
    expect(ended.code).toBe(0);
    expect(ended.out).toContain('match 1-of-10');
    expect(readFileSync(path, 'utf8')).toBe(first);
  });

  test('evaluate prints one line of JSON, the same twice', () => {
    const words = ['evaluate', '--run', 'run', '--arm', 'commutative', '--json'];
    const [one, two] = [loretta(...words), loretta(...words)];
    expect([one.code, one.err]).toEqual([0, '']);
    expect(JSON.parse(one.out).unseen).toHaveLength(2);
    expect(two.out).toBe(one.out);
  });

  test('generate writes a picture of a recording', () => {
    const wav = put('seven.wav', tone(7, 3));
    const made = ['--run', 'run', '--from', 'speech', '--to', 'image', '--out', 'seven.png'];
    const ended = loretta('generate', '--input', wav, '--json', ...made);
    expect([ended.code, ended.err]).toEqual([0, '']);
    expect(JSON.parse(ended.out).ids).toHaveLength(16);
    expect([...readFileSync(join(root, 'seven.png')).subarray(1, 4)]).toEqual([80, 78, 71]);
  });

  test('generate takes several conditions, none, and a way over the link', () => {
    const wav = put('three.wav', tone(3, 3));
    const ask = (...words: string[]): { ids: number[]; conditional: number; prior: number } => {
      const ended = loretta('generate', '--run', 'run', '--to', 'image', '--json', ...words);
      expect([ended.code, ended.err]).toEqual([0, '']);
      expect(ended.out.trimEnd().split('\n')).toHaveLength(1);
      return JSON.parse(ended.out);
    };
    const caption = JSON.parse(
      loretta('generate', '--run', 'run', '--to', 'text', '--input', wav, '--json').out,
    ).text;
    const both = ['--from', 'text,speech', '--speech', wav, '--text', caption];
    for (const found of [
      ask(...both, '--guidance', 'text:2,speech:1.5', '--top-p', '0.9'),
      ask('--from', 'none'),
      ask('--from', 'speech', '--input', wav, '--via', 'text', '--chains', '3'),
      ask('--from', 'speech,text', '--row', '1', '--best', '3', '--lambda', '0.5'),
    ]) {
      expect(found.ids).toHaveLength(16);
      expect(found.conditional).toBeLessThan(0);
      expect(found.prior).toBeLessThan(0);
    }
  });

  test('impute fills in what a manifest lacks, and leaves the rest', () => {
    put('rows/three.wav', tone(3, 3));
    const rows = [{ speech: 'three.wav' }, { speech: 'three.wav', image: null }];
    put('rows/rows.json', JSON.stringify(rows));
    const words = ['--manifest', 'rows/rows.json', '--run', 'run', '--out', 'filled', '--json'];
    const ended = loretta(
      'impute',
      ...words,
      '--route',
      'chain',
      '--pick',
      'consensus',
      '--n',
      '2',
    );
    expect([ended.code, ended.err]).toEqual([0, '']);
    const found = JSON.parse(ended.out);
    expect(found).toEqual(JSON.parse(readFileSync(join(root, 'filled/imputed.json'), 'utf8')));
    expect(readdirSync(join(root, 'filled')).sort()).toEqual([
      '0-image.png',
      '0-text.txt',
      '1-image.png',
      '1-text.txt',
      'imputed.json',
    ]);
    for (const row of found.rows) {
      expect(row.present).toEqual(['speech']);
      expect(Object.keys(row.imputed).sort()).toEqual(['image', 'text']);
      const { image, text } = row.imputed;
      expect(image.from).toEqual(['text']);
      expect(image.confidence >= 0 && image.confidence <= 1).toBe(true);
      expect(readFileSync(text.file, 'utf8')).toBe(`${text.text}\n`);
    }
  });

  test('impute takes test rows, and says how many are right', () => {
    const words = ['--rows', '4', '--missing', 'speech', '--run', 'run', '--out', 'tested'];
    const ended = loretta('impute', ...words);
    expect(ended.code).toBe(0);
    expect(ended.out).toMatch(/speech: [\d.]+ % \[.*\] of the class of their row \(chance 10 %\)/);
    const { rows, accuracy } = JSON.parse(readFileSync(join(root, 'tested/imputed.json'), 'utf8'));
    expect(rows.map((row: { label: number }) => row.label)).toEqual([0, 1, 2, 3]);
    expect(rows[0].present.sort()).toEqual(['image', 'text']);
    expect(accuracy.speech.n).toBe(4);
    expect(readFileSync(join(root, 'tested/0-speech.wav')).subarray(0, 4).toString()).toBe('RIFF');
  });

  test.each([
    ['a manifest that is not there', null, /cannot read this file/],
    ['a file that is missing', '[{"image": "none.png"}]', /none\.png/],
    ['a file that is no PNG', '[{"image": "wrong.json"}]', /wrong\.json/],
    ['a text that is too short', '[{"text": "three"}]', /a caption has/],
  ])('impute refuses %s and writes nothing', (_name, text, message) => {
    rmSync(join(root, 'wrong.json'), { force: true });
    if (text !== null) put('wrong.json', text);
    const before = readdirSync(root);
    const ended = loretta('impute', '--manifest', 'wrong.json', '--run', 'run', '--out', 'wrong');
    expect(complaint(ended)).toMatch(message);
    expect(ended.code).toBe(1);
    expect(readdirSync(root)).toEqual(before);
  });

  test('a checkpoint of another architecture is refused and nothing is written', () => {
    const path = join(root, 'run/run.json');
    const text = readFileSync(path, 'utf8');
    const other = JSON.parse(text);
    other.config.model.dim = 32;
    writeFileSync(path, JSON.stringify(other));
    const ended = loretta('generate', '--run', 'run', '--row', '0', '--out', 'other.png');
    writeFileSync(path, text);
    expect(complaint(ended)).toMatch(/another architecture: dim is 16 in the file and 32 here/);
    expect(ended.code).toBe(1);
    expect(existsSync(join(root, 'other.png'))).toBe(false);
  });

  test('train, interrupted, goes on to the weights of an unbroken run', async () => {
    const words = ['train', '--data', 'data', '--quick', '--json', '--every', '2'];
    const config = ['--config', 'tiny.json'];
    const weights = (folder: string): Buffer =>
      readFileSync(join(root, folder, 'transitive.safetensors'));
    expect(loretta(...words, ...config, '--out', 'unbroken').code).toBe(0);
    const child = spawn(process.execPath, argv(...words, ...config, '--out', 'broken'), {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.once('data', () => child.kill('SIGINT'));
    let said = '';
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
    const code = await new Promise((done) => child.once('close', done));
    expect(code).toBe(130);
    expect(said).toMatch(/stopped; go on with: loretta train --arm transitive .* --resume/);
    expect(weights('broken').equals(weights('unbroken'))).toBe(false);
    expect(loretta(...words, ...config, '--out', 'broken', '--resume').code).toBe(0);
    expect(weights('broken').equals(weights('unbroken'))).toBe(true);
  });

  test('start, interrupted, goes on to the results of an unbroken run', async () => {
    const words = ['start', '--data', 'data', '--quick', '--config', 'tiny.json', '--workers', '1'];
    const child = spawn(process.execPath, argv(...words, '--out', 'halted'), {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (piece: Buffer) => {
      const before = said.includes('transitive: train');
      said += piece.toString();
      if (!before && said.includes('transitive: train')) child.kill('SIGINT');
    });
    const code = await new Promise((done) => child.once('close', done));
    expect(said).toContain('stopped; the same command with --resume goes on');
    expect(code).toBe(130);
    expect(existsSync(join(root, 'halted/run.json'))).toBe(false);
    const other = loretta(...words, '--out', 'halted', '--resume', '--seed', '9');
    expect(complaint(other)).toMatch(/other options/);
    expect(other.code).toBe(2);
    const ended = loretta(...words, '--out', 'halted', '--resume', '--json');
    expect(ended.code).toBe(0);
    for (const arm of settings.arms) {
      const [one, two] = ['run', 'halted'].map((dir) =>
        readFileSync(join(root, dir, `${arm}.safetensors`)),
      );
      expect(one!.equals(two!), arm).toBe(true);
    }
    expect(existsSync(join(root, 'halted/.resume'))).toBe(false);
  });
});
