/** The examples of docs/examples, with few steps: each learns something. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpu } from '@loretta-ts/backend-cpu';
import { hostRandom, key, setBackend, ValueError } from '@loretta-ts/core';
import { loadLanguageModel, mnistPackage } from '@loretta-ts/loretta/node';
import { Decoder } from '@loretta-ts/nn';
import { savePretrained } from '@loretta-ts/nn/node';
import { BpeTokenizer, TokenizerError } from '@loretta-ts/tokenizers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trainCharGpt } from './examples/char-gpt/train';
import { finetune, lossOn, tell } from './examples/finetune-stories/finetune';
import { robotStories } from './examples/finetune-stories/stories';
import { accuracy, trainDigits } from './examples/mnist/train';
import { score } from './examples/sensor-text/score';
import { EVENTS, eventOf, READINGS, record, SeriesTokenizer } from './examples/sensor-text/series';
import { trainTranslator } from './examples/sensor-text/train';

const root = fileURLToPath(new URL('..', import.meta.url));
/** The smallest model of karpathy/tinyllamas: beside the repository, where it is there at all. */
const stories260K = join(root, '../shared/data/models/stories260K');

beforeAll(() => setBackend(cpu()));

describe('char-gpt', () => {
  const options = { steps: 40, context: 32, batch: 8, seed: 0 };
  const text = 'the model sees pairs, and links what it never saw together. '.repeat(12);

  it('learns a text and goes on from a prompt', async () => {
    const gpt = await trainCharGpt(text, options);
    expect(gpt.heldOut.before).toBeGreaterThan(4);
    expect(gpt.heldOut.after).toBeLessThan(1.5);
    const written = await gpt.write('the model ', 30);
    expect(written).toHaveLength(40);
    expect(written).toMatch(/^the model [a-z,. ]{30}$/);
    await expect(gpt.write('THE', 3)).rejects.toThrow('char-gpt: the text has no "T"');
    gpt.model.dispose();
  });

  it('refuses a text that is too short', async () => {
    await expect(trainCharGpt('too short', options)).rejects.toThrow(ValueError);
  });
});

describe('finetune-stories', () => {
  const opening = 'Once upon a time, there was a little robot';
  const settings = { batch: 4, length: 96, seed: 0 };
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loretta-stories-'));
    const tokenizer = BpeTokenizer.train(robotStories(30, 5), {
      vocabSize: 400,
      specialTokens: ['<end>'],
    });
    const model = new Decoder(
      { vocab: tokenizer.vocabSize, dim: 32, layers: 1, heads: 2, maxLength: 160 },
      key(0),
    );
    await savePretrained(model, join(folder, 'tiny'), { tokenizer, eosIds: [0] });
    model.dispose();
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('tells other stories afterwards', async () => {
    const lm = await loadLanguageModel(join(folder, 'tiny'));
    const test = robotStories(8, 2);
    const before = await lossOn(lm, test, 96);
    await finetune(lm, robotStories(60, 1), { ...settings, lr: 2e-2, steps: 40 });
    expect(await lossOn(lm, test, 96)).toBeLessThan(before / 2);
    expect(await tell(lm, opening, 4)).toMatch(/^Once upon a time, there was a little robot named/);
    lm.model.dispose();
  });

  it.runIf(existsSync(stories260K))('turns stories260K into a teller of Zip', async () => {
    const lm = await loadLanguageModel(stories260K);
    const golden = JSON.parse(readFileSync(join(stories260K, 'golden.json'), 'utf8')) as {
      cases: { prompt: string; ids: number[]; prompt_ids: number[]; text: string }[];
    };
    const { prompt, ids, prompt_ids, text } = golden.cases[1]!;
    expect(await tell(lm, prompt, ids.length - prompt_ids.length)).toBe(text);
    expect(await tell(lm, opening, 12)).not.toContain('Zip');
    await finetune(lm, robotStories(60, 1), { ...settings, lr: 1e-3, steps: 12 });
    expect(await tell(lm, opening, 12)).toContain('named Zip. Zip lived');
    lm.model.dispose();
  });
});

describe('mnist', () => {
  it('finds most digits after sixty steps', async () => {
    const { train, test } = mnistPackage();
    const losses: number[] = [];
    const net = await trainDigits(train, {
      steps: 60,
      batch: 32,
      seed: 0,
      onStep: (_, loss) => losses.push(loss),
    });
    const every = { items: [] as (typeof test.items)[number][], labels: [] as number[] };
    for (let i = 0; i < test.items.length; i += 8) {
      every.items.push(test.items[i]!);
      every.labels.push(test.labels[i]!);
    }
    const share = await accuracy(net, { ...every, labels: Int32Array.from(every.labels) });
    expect(losses[59]).toBeLessThan(losses[0]! / 2);
    expect(share).toBeGreaterThan(0.6);
    net.dispose();
  });
});

describe('sensor-text', () => {
  it('has a tokenizer that keeps its law and refuses what it cannot encode', () => {
    const sensor = new SeriesTokenizer();
    for (const [event] of EVENTS.entries()) {
      const ids = sensor.encode(record(event, hostRandom(event)));
      expect(ids).toHaveLength(READINGS);
      expect(sensor.encode(sensor.decode(ids))).toEqual(ids);
    }
    expect(() => sensor.encode(new Float32Array(3))).toThrow(TokenizerError);
    expect(() => sensor.encode(new Float32Array(READINGS).fill(NaN))).toThrow(TokenizerError);
    expect(() => sensor.decode([16])).toThrow(TokenizerError);
  });

  it('translates both ways far above chance', async () => {
    const translator = await trainTranslator({ steps: 120, seed: 0 });
    expect(translator.loss.last).toBeLessThan(translator.loss.first / 2);
    const { toText, toSensor } = await score(translator, 60, 7);
    expect(toText).toBeGreaterThan(0.6);
    expect(toSensor).toBeGreaterThan(0.6);
    expect(eventOf('somebody drops suddenly')).toBe(5);
    translator.dispose();
  });
});
