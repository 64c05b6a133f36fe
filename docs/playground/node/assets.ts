/** Writes what the page starts from: checkpoints in f16, codecs, token ids to train on, a few samples to pick. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  balanced,
  DataError,
  type Evaluation,
  type ExperimentConfig,
  type RawSample,
  type SvlMnist,
  saveCodec,
  tokenCount,
  tokensAt,
  type TrainData,
} from '@loretta-ts/loretta';
import { type HostTensor, serializeSafetensors, weightsBytes } from '@loretta-ts/nn';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { type Image, MuLawTokenizer, mfcc, type Wave } from '@loretta-ts/tokenizers';
import {
  ARMS,
  FILES,
  type Manifest,
  type ManifestArm,
  MODALITIES,
  type PlaygroundArm,
  type PlaygroundModality,
} from '../src/format';

/** What the assets are made of. */
export interface AssetSources {
  readonly config: ExperimentConfig;
  /** With its raw samples. */
  readonly loaded: SvlMnist;
  /** Its tokens. */
  readonly data: TrainData;
  readonly arms: Readonly<
    Record<
      PlaygroundArm,
      {
        readonly steps: number;
        readonly checkpoint: Uint8Array;
        readonly evaluation: Pick<Evaluation, 'unseen'>;
      }
    >
  >;
}

/** A written file. */
export interface WrittenFile {
  readonly file: string;
  readonly bytes: number;
}

/** Held-out rows that matching is measured on. */
const TEST_ROWS = 100;
/** Samples of each class to pick, and recordings of each class to speak with. */
const PICKS = 3;
const VOICES = 10;
/** Recordings whose mean cepstrum stands for all. */
const MEASURED = 200;

/**
 * Writes the assets to `out`, the manifest last.
 * @throws DataError for a run that the page cannot show: another link, texts, learned tokenizers
 */
export async function writeAssets(out: string, sources: AssetSources): Promise<WrittenFile[]> {
  const { config, loaded, data } = sources;
  if (loaded.link !== 'text') {
    throw new DataError('config', 'link', `the playground needs the link text, not ${loaded.link}`);
  }
  const modalities = Object.fromEntries(
    MODALITIES.map((name) => {
      const m = loaded.modalities[name]!;
      const { vocabSize, maxLength } = m;
      return [name, { vocabSize, maxLength, codec: saveCodec(m) }];
    }),
  ) as Manifest['modalities'];
  const test = balanced(data).test;
  await rm(join(out, FILES.manifest), { force: true });
  await mkdir(out, { recursive: true });
  const written: WrittenFile[] = [];
  const write = async (file: string, bytes: Uint8Array): Promise<void> => {
    await writeFileAtomic(join(out, file), bytes);
    written.push({ file, bytes: bytes.length });
  };
  const arms: ManifestArm[] = [];
  for (const arm of ARMS) {
    const { checkpoint, steps, evaluation } = sources.arms[arm];
    const found = evaluation.unseen.find((u) => u.from === 'speech' && u.to === 'image');
    if (found === undefined) {
      throw new DataError('format', arm, 'its evaluation has no speech → image: run it again');
    }
    const { value, low, high } = found.matching;
    const file = `${arm}.safetensors`;
    await write(file, weightsBytes(checkpoint, 'f16'));
    arms.push({ arm, file, steps, matching: { value, low, high } });
  }
  await write(FILES.tokens, tokensFile(data, test));
  await write(FILES.samples, samplesFile(loaded, test));
  const manifest: Manifest = {
    version: 1,
    config,
    arms,
    credits: [...new Set(Object.values(loaded.modalities).map((m) => m.credit))],
    classes: loaded.modalities['image']!.classes,
    modalities,
    pairs: data.pairs.map(({ modalities: [a, b] }) => [a, b] as [never, never]),
    voice: voiceOf(loaded),
  };
  await write(FILES.manifest, new TextEncoder().encode(JSON.stringify(manifest)));
  return written;
}

const bytesOf = (values: ArrayLike<number>, shape: readonly number[]): HostTensor => ({
  dtype: 'U8',
  shape,
  data: Uint8Array.from(values),
});
const integers = (values: ArrayLike<number>, shape: readonly number[]): HostTensor => ({
  dtype: 'I32',
  shape,
  data: Int32Array.from(values),
});
/** Ids in a byte each where they fit. */
const idsOf = (ids: Int32Array, shape: readonly number[], vocabSize: number): HostTensor =>
  (vocabSize <= 256 ? bytesOf : integers)(ids, shape);

/** Training tokens, the pairs, and the tokens of the first balanced test rows: row i has sample i of every modality. */
function tokensFile(data: TrainData, test: TrainData['test']): Uint8Array {
  const tensors = new Map<string, HostTensor>();
  const rows = Math.min(TEST_ROWS, test.size);
  for (const name of MODALITIES) {
    const m = data.modalities[name]!;
    const { train } = m;
    const n = tokenCount(train);
    tensors.set(`${name}.train.ids`, idsOf(train.ids, [n, m.maxLength], m.vocabSize));
    tensors.set(`${name}.train.labels`, bytesOf(train.labels, [n]));
    const held = rowsOf(test, name, rows).flatMap((row) => [...tokensAt(m.test, row)]);
    tensors.set(`${name}.test.ids`, idsOf(Int32Array.from(held), [rows, m.maxLength], m.vocabSize));
  }
  tensors.set('test.labels', bytesOf(test.labels.subarray(0, rows), [rows]));
  data.pairs.forEach(({ index, labels, size }, i) => {
    tensors.set(`pairs.${i}.index`, integers(index, [size, 2]));
    tensors.set(`pairs.${i}.labels`, bytesOf(labels, [size]));
  });
  return serializeSafetensors(tensors);
}

/** Test samples of a modality in the first aligned rows. */
function rowsOf(test: TrainData['test'], name: PlaygroundModality, rows: number): number[] {
  const width = test.modalities.length;
  const column = test.modalities.indexOf(name);
  return Array.from({ length: rows }, (_, i) => test.index[i * width + column]!);
}

/** Pictures and recordings of the test set to pick from, and training recordings to speak with; mu-law. */
function samplesFile({ modalities }: SvlMnist, test: TrainData['test']): Uint8Array {
  const tensors = new Map<string, HostTensor>();
  const [image, speech] = [modalities['image']!, modalities['speech']!];
  const law = new MuLawTokenizer({ levels: 256 });
  const put = (name: string, wave: Wave): void => {
    tensors.set(name, bytesOf(law.encode(wave.samples), [wave.samples.length]));
  };
  const picks = Math.min(PICKS * image.classes, test.size);
  const pixels = rowsOf(test, 'image', picks).map((row) => imageOf(image.raw('test', row)));
  const { width, height } = pixels[0]!;
  tensors.set(
    'picks.image',
    bytesOf(
      pixels.flatMap(({ data }) => [...data]),
      [picks, height, width],
    ),
  );
  rowsOf(test, 'speech', picks).forEach((row, i) => {
    put(`picks.speech.${i}`, waveOf(speech.raw('test', row)));
  });
  tensors.set('picks.labels', bytesOf(test.labels.subarray(0, picks), [picks]));
  const voices = spread(speech.train.labels, speech.classes);
  voices.forEach((row, i) => {
    put(`voices.${i}`, waveOf(speech.raw('train', row)));
  });
  const ids = voices.flatMap((row) => [...tokensAt(speech.train, row)]);
  tensors.set(
    'voices.ids',
    idsOf(Int32Array.from(ids), [voices.length, speech.maxLength], speech.vocabSize),
  );
  tensors.set(
    'voices.labels',
    bytesOf(
      voices.map((row) => speech.train.labels[row]!),
      [voices.length],
    ),
  );
  return serializeSafetensors(tensors);
}

/** Evenly spaced samples of every class. */
function spread(labels: Int32Array, classes: number): number[] {
  return Array.from({ length: classes }, (_, k) => {
    const own = [...labels.keys()].filter((i) => labels[i] === k);
    const n = Math.min(VOICES, own.length);
    return Array.from({ length: n }, (_, i) => own[Math.floor((i * own.length) / n)]!);
  }).flat();
}

/** Mean cepstrum and mean length of the training recordings. */
function voiceOf({ modalities }: SvlMnist): Manifest['voice'] {
  const speech = modalities['speech']!;
  const n = tokenCount(speech.train);
  const waves = Array.from({ length: Math.min(MEASURED, n) }, (_, i) =>
    waveOf(speech.raw('train', Math.floor((i * n) / Math.min(MEASURED, n)))),
  );
  const means = waves.map((wave) => {
    const { data, frames, coefficients } = mfcc(wave, { meanNormalise: false });
    return Array.from({ length: coefficients }, (_, c) => {
      let sum = 0;
      for (let t = 0; t < frames; t++) sum += data[t * coefficients + c]!;
      return sum / frames;
    });
  });
  const mean = (xs: number[]): number => xs.reduce((a, b) => a + b, 0) / xs.length;
  return {
    mean: means[0]!.map((_, c) => mean(means.map((m) => m[c]!))),
    seconds: mean(waves.map(({ samples, sampleRate }) => samples.length / sampleRate)),
  };
}

function imageOf(sample: RawSample): Image {
  if (sample.kind === 'image') return sample.image;
  throw new DataError('format', 'image', `has samples of kind ${sample.kind}`);
}

function waveOf(sample: RawSample): Wave {
  if (sample.kind === 'speech') return sample.wave;
  throw new DataError('format', 'speech', `has samples of kind ${sample.kind}`);
}
