/** Fetches what the build wrote and gives it its form: token data, codecs, samples, models. */
import {
  describeData,
  type ModalityCodec,
  makeModel,
  type ModalityGraph,
  restoreCodec,
  type TokenData,
  type TrainData,
  type Vocabulary,
} from '@loretta-ts/loretta';
import { type Decoder, type HostTensor, parseSafetensors, restoreCheckpoint } from '@loretta-ts/nn';
import { MuLawTokenizer } from '@loretta-ts/tokenizers';
import {
  FILES,
  type Manifest,
  MODALITIES,
  type PlaygroundArm,
  type PlaygroundModality,
} from '../format';
import type { Sound } from '../protocol';

/** Everything but the weights. */
export interface Assets {
  readonly base: string;
  readonly manifest: Manifest;
  readonly data: TrainData;
  readonly vocab: Vocabulary;
  readonly graph: ModalityGraph;
  readonly codecs: Readonly<Record<PlaygroundModality, ModalityCodec>>;
  /** Samples of the test set to pick. */
  readonly picks: {
    readonly side: number;
    readonly images: readonly Uint8Array[];
    readonly sounds: readonly Sound[];
    readonly labels: readonly number[];
  };
  /** Training recordings to speak with, and their codes `[n, length]`. */
  readonly voices: {
    readonly sounds: readonly Sound[];
    readonly ids: Int32Array;
    readonly labels: readonly number[];
  };
}

/** @param base address of the folder, with a slash at its end */
export async function loadAssets(base: string): Promise<Assets> {
  const manifest = JSON.parse(
    new TextDecoder().decode(await fetchBytes(base + FILES.manifest)),
  ) as Manifest;
  if (manifest.version !== 1) {
    throw new Error(`${FILES.manifest} is of version ${manifest.version}: build the page again`);
  }
  const [tokens, samples] = await Promise.all(
    [FILES.tokens, FILES.samples].map(async (file) =>
      parseSafetensors(await fetchBytes(base + file)),
    ),
  );
  const data = trainData(manifest, tokens!.tensors);
  const { vocab, graph } = describeData(data);
  const codecs = Object.fromEntries(
    MODALITIES.map((name) => [name, restoreCodec(manifest.modalities[name].codec)]),
  ) as Assets['codecs'];
  return { base, manifest, data, vocab, graph, codecs, ...sampled(manifest, samples!.tensors) };
}

/** A model with the weights of an arm. */
export async function loadModel(assets: Assets, arm: PlaygroundArm): Promise<Decoder> {
  const model = makeModel(assets.vocab, assets.manifest.config);
  restoreCheckpoint(await weightsOf(assets, arm), { model });
  return model;
}

/** The checkpoint of an arm. */
export async function weightsOf(
  { base, manifest }: Assets,
  arm: PlaygroundArm,
): Promise<Uint8Array> {
  const { file } = manifest.arms.find((a) => a.arm === arm)!;
  return await fetchBytes(base + file);
}

async function fetchBytes(address: string): Promise<Uint8Array> {
  const response = await fetch(address);
  if (!response.ok) {
    throw new Error(`${address}: ${response.status}; npm run playground writes this file`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

type Tensors = ReadonlyMap<string, HostTensor>;

function values(tensors: Tensors, name: string): Int32Array {
  const found = tensors.get(name);
  if (found === undefined) throw new Error(`the assets have no ${name}: build the page again`);
  return Int32Array.from(found.data as Uint8Array);
}

function trainData({ modalities, pairs, classes }: Manifest, tensors: Tensors): TrainData {
  const held = values(tensors, 'test.labels');
  const tokens = MODALITIES.map((name): [string, TokenData] => {
    const { vocabSize, maxLength } = modalities[name];
    const set = (split: string, labels: Int32Array): TokenData['train'] => {
      const ids = values(tensors, `${name}.${split}.ids`);
      return { ids, length: maxLength, labels, classes };
    };
    const train = set('train', values(tensors, `${name}.train.labels`));
    return [
      name,
      { name, vocabSize, maxLength, fixedLength: true, train, test: set('test', held) },
    ];
  });
  const width = MODALITIES.length;
  return {
    modalities: Object.fromEntries(tokens),
    pairs: pairs.map(([a, b], i) => {
      const labels = values(tensors, `pairs.${i}.labels`);
      const index = values(tensors, `pairs.${i}.index`);
      return { modalities: [a, b], size: labels.length, index, labels };
    }),
    // row i has sample i of every modality
    test: {
      modalities: [...MODALITIES],
      size: held.length,
      index: Int32Array.from({ length: held.length * width }, (_, i) => Math.floor(i / width)),
      labels: held,
    },
    oracle: null,
  };
}

function sampled({ modalities }: Manifest, tensors: Tensors): Pick<Assets, 'picks' | 'voices'> {
  const { codec } = modalities.speech;
  if (codec.kind !== 'frames') throw new Error(`speech has a codec of kind ${codec.kind}`);
  const law = new MuLawTokenizer({ levels: 256 });
  const sounds = (name: string, n: number): Sound[] =>
    Array.from({ length: n }, (_, i) => ({
      sampleRate: codec.sampleRate,
      samples: law.decode(values(tensors, `${name}.${i}`)),
    }));
  const labels = [...values(tensors, 'picks.labels')];
  const said = [...values(tensors, 'voices.labels')];
  const pixels = Uint8Array.from(values(tensors, 'picks.image'));
  const area = pixels.length / labels.length;
  return {
    picks: {
      side: Math.sqrt(area),
      images: labels.map((_, i) => pixels.slice(i * area, (i + 1) * area)),
      sounds: sounds('picks.speech', labels.length),
      labels,
    },
    voices: {
      sounds: sounds('voices', said.length),
      ids: values(tensors, 'voices.ids'),
      labels: said,
    },
  };
}
