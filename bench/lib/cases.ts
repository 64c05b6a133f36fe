/** The cases of every subject: what is computed, the same for us and for every peer. */
import type { Request } from '../peers/serve.mjs';
import { PRESETS, type Preset, trainFlops } from './model';

/** C [b, m, n] = A [b, m, k] B [b, k, n], either stored transposed. */
export interface GemmCase extends Request {
  readonly subject: 'gemm';
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA: boolean;
  readonly transB: boolean;
}

/** One op on `[rows, cols]`, forward. */
export interface OpCase extends Request {
  readonly subject: 'ops';
  readonly rows: number;
  readonly cols: number;
}

/** Causal attention, forward and backward of its sum, `[1, length, heads, headDim]`. */
export interface AttentionCase extends Request {
  readonly subject: 'attention';
  readonly length: number;
  readonly heads: number;
  readonly headDim: number;
}

/** One mixer of a decoder's layer, forward and backward, on `[1, length, dim]`. */
export interface MixerCase extends Request {
  readonly subject: 'mixers';
  readonly mixer: 'attention' | 'window' | 'mamba' | 'hyena';
  readonly length: number;
  readonly dim: number;
  /** Keys that the windowed attention sees. */
  readonly window: number;
}

interface ModelCase extends Request {
  readonly preset: Preset;
  /** Initial weights, safetensors. */
  readonly weights: string;
}

/** Forward, backward and AdamW on one batch. */
export interface TrainCase extends ModelCase {
  readonly subject: 'train';
}

/** Greedy decoding from a prompt of one token. */
export interface GenerateCase extends ModelCase {
  readonly subject: 'generate';
  readonly batch: number;
  readonly tokens: number;
}

/**
 * A pseudo block is sampled behind a prompt, real tokens follow, and the model trains on those: `prompt` +
 * `generated` + the rest of the length.
 */
export interface LorettaCase extends ModelCase {
  readonly subject: 'loretta-step';
  readonly batch: number;
  readonly prompt: number;
  readonly generated: number;
}

/** A chain of additions of tiny tensors, recorded for autograd. */
export interface OverheadCase extends Request {
  readonly subject: 'overhead';
  readonly ops: number;
}

export type Case =
  | GemmCase
  | OpCase
  | AttentionCase
  | MixerCase
  | TrainCase
  | GenerateCase
  | LorettaCase
  | OverheadCase;

/** What is counted for a rate: operations of matrix products, tokens, or nothing. */
export interface Amount {
  readonly count: number;
  readonly unit: 'GFLOP/s' | 'tokens/s';
}

export function amountOf(c: Case): Amount | null {
  switch (c.subject) {
    case 'gemm':
      return { count: (2 * c.batch * c.m * c.n * c.k) / 1e9, unit: 'GFLOP/s' };
    case 'train':
      return { count: trainFlops(c.preset) / 1e9, unit: 'GFLOP/s' };
    case 'mixers':
      return { count: c.length, unit: 'tokens/s' };
    case 'generate':
      return { count: c.batch * c.tokens, unit: 'tokens/s' };
    default:
      return null;
  }
}

const plain = { batch: 1, transA: false, transB: false };
const gemm = (name: string, m: number, n: number, k: number, rest = {}): GemmCase => ({
  ...{ subject: 'gemm', name, m, n, k },
  ...plain,
  ...rest,
});

/** All transformer shapes are those of preset S. */
export const GEMM_CASES: readonly GemmCase[] = [
  gemm('512³', 512, 512, 512),
  gemm('256³', 256, 256, 256),
  gemm('64³', 64, 64, 64),
  gemm('ffn 2048×512×128', 2048, 512, 128),
  gemm('ffn x·Wᵀ 2048×512×128', 2048, 512, 128, { transB: true }),
  gemm('ffn out 2048×128×512', 2048, 128, 512),
  gemm('dW aᵀ·b 128×512×2048', 128, 512, 2048, { transA: true }),
  gemm('QKᵀ 64 × 128×128×32', 128, 128, 32, { batch: 64, transB: true }),
  gemm('PV 64 × 128×32×128', 128, 32, 128, { batch: 64 }),
  gemm('32 rows 32×512×128', 32, 512, 128, { transB: true }),
  gemm('1 row 1×512×128', 1, 512, 128, { transB: true }),
];

/** Names of the ops; every child has a table of them. */
const OPS = ['softmax', 'layer norm', 'gelu', 'add', 'cross-entropy', 'sum of rows', 'transpose'];

export const OP_CASES: readonly OpCase[] = OPS.map((name) => ({
  ...{ subject: 'ops', name, rows: 2048, cols: 512 },
}));

export const OVERHEAD_CASE: OverheadCase = {
  ...{ subject: 'overhead', name: 'op on [4], recorded', ops: 200 },
};

export const attentionCase = (length: number): AttentionCase => ({
  ...{ subject: 'attention', name: `T = ${length}`, length, heads: 4, headDim: 64 },
});

export const mixerCase = (mixer: MixerCase['mixer'], length: number): MixerCase => ({
  ...{ subject: 'mixers', name: `${mixer}, T = ${length}`, mixer, length, dim: 256, window: 256 },
});

export const trainCase = (size: keyof typeof PRESETS, weights: string): TrainCase => ({
  ...{ subject: 'train', name: size, preset: PRESETS[size], weights },
});

export const generateCase = (batch: number, weights: string): GenerateCase => ({
  ...{ subject: 'generate', name: `S, batch ${batch}`, preset: PRESETS.S, weights },
  ...{ batch, tokens: 64 },
});

export const lorettaCase = (weights: string): LorettaCase => ({
  ...{ subject: 'loretta-step', name: 'S, batch 32', preset: PRESETS.S, weights },
  ...{ batch: 32, prompt: 32, generated: 32 },
});
