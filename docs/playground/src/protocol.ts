/** What the page and its workers say to each other. */
import type { PlaygroundArm } from './format';

/** Where tensors live. */
export type BackendChoice = 'cpu' | 'webgl2' | 'webgpu';

/** A trained arm, or what the training worker has right now. */
export type ModelChoice = PlaygroundArm | 'live';

/** A mono recording. */
export interface Sound {
  readonly sampleRate: number;
  /** `[n]`, in [-1, 1]. */
  readonly samples: Float32Array;
}

/** What a worker runs on and what it can show. */
export interface Opened {
  /** Backend, executor, device, threads. */
  readonly machine: string;
  /** Why it is not faster; null when nothing holds it back. */
  readonly note: string | null;
  readonly arms: readonly {
    readonly arm: PlaygroundArm;
    readonly steps: number;
    readonly matching: { readonly value: number; readonly low: number; readonly high: number };
  }[];
  readonly classes: number;
  readonly credits: readonly string[];
  /** Side of a picture in pixels. */
  readonly side: number;
  /** Test samples to pick: `[side²]` bytes each, recordings, classes. */
  readonly picks: {
    readonly images: readonly Uint8Array[];
    readonly sounds: readonly Sound[];
    readonly labels: readonly number[];
  };
  /** Steps of the run, and those before its transitive steps began. */
  readonly schedule: { readonly steps: number; readonly warmUp: number };
}

/** A caption, and the word in it that belongs to one class alone. */
export interface Caption {
  readonly text: string;
  readonly word: string | null;
  readonly digit: number | null;
}

/** What a model makes of a picture. */
export interface Described {
  readonly caption: Caption;
  /** The picture as its tokens keep it, `[side²]`. */
  readonly seen: Uint8Array;
  /** The generated speech codes, the most fitting of several, through the vocoder. */
  readonly robot: Sound;
  /** The class of the training recording with the nearest codes, and one of that class to listen to. */
  readonly nearest: { readonly sound: Sound; readonly digit: number };
  /** How well recordings of each class fit the picture, `[classes]`, sum 1. */
  readonly fit: readonly number[];
}

/** What a model makes of a recording. */
export interface Imagined {
  readonly caption: Caption;
  /** Several samples, `[side²]` each, the most fitting first. */
  readonly images: readonly Uint8Array[];
  /** How well pictures of each class fit the recording, `[classes]`, sum 1. */
  readonly fit: readonly number[];
}

/** How a live training goes. */
export interface TrainSettings {
  /** What the weights start from. */
  readonly start: PlaygroundArm | 'scratch';
  readonly arm: PlaygroundArm;
  readonly steps: number;
  /** Steps between samples. */
  readonly every: number;
  /** Held-out rows of the matching task. */
  readonly rows: number;
  readonly seed: number;
}

/** What a training worker tells without being asked. */
export type TrainEvent =
  | {
      readonly kind: 'step';
      /** Steps taken, of `total`. */
      readonly step: number;
      readonly total: number;
      /** Nats. */
      readonly loss: number;
      readonly arm: PlaygroundArm;
      /** Pair sets whose batch was transitive. */
      readonly transitive: number;
      /** Steps before transitive steps may begin; 0 when they may. */
      readonly wait: number;
      readonly tokensPerSecond: number;
    }
  | {
      readonly kind: 'check';
      readonly step: number;
      readonly arm: PlaygroundArm;
      /** Matching accuracy speech → image. */
      readonly accuracy: number;
      /** An image for each of the fixed recordings, `[side²]`. */
      readonly images: readonly Uint8Array[];
      readonly labels: readonly number[];
    }
  | {
      readonly kind: 'state';
      readonly state: 'running' | 'paused' | 'stopped' | 'done';
    }
  | { readonly kind: 'failed'; readonly message: string };

/** What a worker can be asked, with its answers. */
export interface Calls {
  open: {
    readonly asked: {
      /** Address of the assets' folder, with a slash at its end. */
      readonly assets: string;
      readonly backend: BackendChoice;
      /** Of the CPU backend. */
      readonly threads: 1 | 'auto';
    };
    readonly answer: Opened;
  };
  describe: {
    readonly asked: {
      readonly model: ModelChoice;
      readonly image: Uint8Array;
      readonly seed: number;
    };
    readonly answer: Described;
  };
  imagine: {
    readonly asked: {
      readonly model: ModelChoice;
      readonly sound: Sound;
      /** From a microphone or a file: silence around it is cut. */
      readonly trim: boolean;
      readonly seed: number;
    };
    readonly answer: Imagined;
  };
  train: { readonly asked: TrainSettings; readonly answer: null };
  pause: { readonly asked: null; readonly answer: null };
  resume: { readonly asked: null; readonly answer: null };
  stop: { readonly asked: null; readonly answer: null };
  /** Goes on with the other method, without a new start. */
  switchArm: { readonly asked: PlaygroundArm; readonly answer: null };
}

/** A call on its way. */
export type Request = {
  readonly [N in keyof Calls]: {
    readonly id: number;
    readonly name: N;
    readonly asked: Calls[N]['asked'];
  };
}[keyof Calls];

/** What comes back. */
export type Reply =
  | { readonly id: number; readonly answer: Calls[keyof Calls]['answer'] }
  | { readonly id: number; readonly error: string }
  | { readonly event: TrainEvent };
