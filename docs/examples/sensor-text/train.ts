/** One decoder that says what a sensor felt, and feels what a sentence says. */
import { type HostRandom, hostRandom, key } from '@loretta-ts/core';
import {
  commutative,
  generateBlock,
  ModalityGraph,
  type PairBatch,
  type PairSource,
  Trainer,
  Vocabulary,
} from '@loretta-ts/loretta';
import { Decoder } from '@loretta-ts/nn';
import { WordTokenizer } from '@loretta-ts/tokenizers';
import { describe, EVENTS, READINGS, record, SeriesTokenizer } from './series';

/** Words of a sentence, at most. */
const WORDS = 4;

/** A trained model as its user wants it: values in, values out. */
export interface Translator {
  /** Loss of the first step and of the last. */
  readonly loss: { readonly first: number; readonly last: number };
  /** A sentence for each series. */
  say(series: readonly Float32Array[]): Promise<string[]>;
  /** A series for each sentence. */
  feel(sentences: readonly string[]): Promise<Float32Array[]>;
  dispose(): void;
}

/** Pairs without end: batch n is a function of the seed and n alone. */
function pairs(
  words: WordTokenizer,
  sensor: SeriesTokenizer,
  size: number,
  seed: number,
): PairSource {
  let step = 0;
  return {
    modalities: ['sensor', 'text'],
    get step() {
      return step;
    },
    resume(to) {
      step = to;
    },
    *[Symbol.iterator]() {
      while (true) yield this.next();
    },
    next(): PairBatch {
      const random = hostRandom(seed, step++ * 2 ** 20);
      const labels = Int32Array.from({ length: size }, () => random.int(EVENTS.length));
      const series = [...labels].map((event) => sensor.encode(record(event, random)));
      const sentences = [...labels].map((event) => words.encode(describe(event, random)));
      return {
        modalities: this.modalities,
        size,
        ids: [flat(series, READINGS), flat(sentences, WORDS)],
        lengths: [undefined, Int32Array.from(sentences, (ids) => ids.length)],
        index: new Int32Array(2 * size).fill(-1), // drawn, not from a set
        labels,
      };
    },
  };
}

/** Rows of ids behind each other, padded to a length. */
function flat(rows: readonly Int32Array[], length: number): Int32Array {
  const ids = new Int32Array(rows.length * length);
  for (const [i, row] of rows.entries()) ids.set(row, i * length);
  return ids;
}

/** Trains both directions at once: in half of the rows the series comes first, in the others the sentence. */
export async function trainTranslator(options: {
  steps: number;
  seed: number;
  onStep?: (step: number, loss: number) => void;
}): Promise<Translator> {
  const { steps, seed, onStep } = options;
  const sensor = new SeriesTokenizer();
  const random: HostRandom = hostRandom(seed);
  const words = WordTokenizer.train(
    Array.from({ length: 200 }, (_, i) => describe(i % EVENTS.length, random)),
  );
  const vocab = new Vocabulary([
    { name: 'sensor', vocabSize: sensor.vocabSize, length: READINGS, variable: false },
    { name: 'text', vocabSize: words.vocabSize, length: WORDS, variable: true },
  ]);
  const model = new Decoder(
    {
      vocab: vocab.size,
      dim: 48,
      layers: 2,
      heads: 4,
      positions: ['rope', 'within-block'],
      withinLength: vocab.withinSize,
      maxLength: 64,
    },
    key(seed),
  );
  const trainer = new Trainer({
    model,
    vocab,
    graph: new ModalityGraph(['sensor', 'text'], [['sensor', 'text']]),
    sources: [pairs(words, sensor, 32, seed + 1)],
    seed,
    totalSteps: steps,
    lr: 1e-2,
    lrWarmup: Math.ceil(steps / 20),
    minLr: 0.1,
    weightDecay: 0.1,
    clip: 1,
  });
  const arm = {
    name: 'commutative',
    base: commutative(),
    transitive: null,
    loss: {},
    causal: true,
    oracle: false,
    mislinked: false,
    forks: false,
  };
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { loss } = await trainer.step(arm, 0);
    losses.push(loss);
    onStep?.(step + 1, loss);
  }
  trainer.dispose();

  const ask = async (from: string, ids: Int32Array, to: string): Promise<Int32Array> => {
    const condition = [{ modality: from, ids, generated: false }];
    return await generateBlock(model, vocab, condition, to, {
      key: key(seed + 2),
      temperature: 0.5,
    });
  };
  return {
    loss: { first: losses[0]!, last: losses.at(-1)! },
    async say(series) {
      const ids = vocab.toJoint(
        'sensor',
        flat(
          series.map((x) => sensor.encode(x)),
          READINGS,
        ),
      );
      const said = await ask('sensor', ids, 'text');
      return series.map((_, i) => {
        const row = said.subarray(i * WORDS, (i + 1) * WORDS);
        const end = row.indexOf(vocab.end('text'));
        return words.decode(vocab.toLocal('text', end < 0 ? row : row.slice(0, end)));
      });
    },
    async feel(sentences) {
      const rows = sentences.map((sentence) => {
        const joint = vocab.toJoint('text', words.encode(sentence));
        return joint.length < WORDS ? Int32Array.of(...joint, vocab.end('text')) : joint;
      });
      const felt = await ask('text', flat(rows, WORDS), 'sensor');
      const ids = vocab.toLocal('sensor', felt);
      return sentences.map((_, i) => sensor.decode(ids.subarray(i * READINGS, (i + 1) * READINGS)));
    },
    dispose: () => model.dispose(),
  };
}
