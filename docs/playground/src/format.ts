/** What the build writes beside the page and the page reads: `model/manifest.json` and safetensors files. */
import type { ArmName, ExperimentConfig, SavedCodec } from '@loretta-ts/loretta';

/** The two methods that the page compares. */
export const ARMS = ['commutative', 'transitive'] as const satisfies readonly ArmName[];

/** One of them. */
export type PlaygroundArm = (typeof ARMS)[number];

/** The three modalities; text is the link. */
export const MODALITIES = ['image', 'text', 'speech'] as const;

/** One of them. */
export type PlaygroundModality = (typeof MODALITIES)[number];

/** An arm's checkpoint. */
export interface ManifestArm {
  readonly arm: PlaygroundArm;
  /** Beside the manifest; safetensors, f16. */
  readonly file: string;
  /** Training steps of the run. */
  readonly steps: number;
  /** Matching accuracy speech → image that the run measured, with 95 % limits. */
  readonly matching: { readonly value: number; readonly low: number; readonly high: number };
}

/** `manifest.json`. */
export interface Manifest {
  readonly version: 1;
  /** Configuration of the run. */
  readonly config: ExperimentConfig;
  readonly arms: readonly ManifestArm[];
  /** Origins and licences of the data. */
  readonly credits: readonly string[];
  readonly classes: number;
  readonly modalities: Readonly<
    Record<
      PlaygroundModality,
      {
        readonly vocabSize: number;
        readonly maxLength: number;
        readonly codec: SavedCodec;
      }
    >
  >;
  /** The observed pairs; their rows are in `tokens.safetensors` as `pairs.N.index` and `pairs.N.labels`. */
  readonly pairs: readonly (readonly [PlaygroundModality, PlaygroundModality])[];
  /** What the vocoder lacks of a recording: mean cepstrum and mean length. */
  readonly voice: { readonly mean: readonly number[]; readonly seconds: number };
}

/** Names of the files. */
export const FILES = {
  manifest: 'manifest.json',
  tokens: 'tokens.safetensors',
  samples: 'samples.safetensors',
} as const;
