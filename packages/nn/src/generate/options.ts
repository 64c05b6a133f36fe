/** What `generate` can be asked for, checked before anything runs. */
import {
  type Abortable,
  type Key,
  ShapeError,
  sameShape,
  type Tensor,
  ValueError,
} from '@loretta-ts/core';
import type { Decoder } from '../decoder/decoder';
import { checkHyenaLength } from '../decoder/hyena';
import type { IdRange } from './filters';

/** Classifier-free guidance: logits = u + scale · (c − u) (Ho and Salimans 2022; for text Sanchez et al. 2023). */
export interface Guidance {
  /** i32 [b, u] or [1, u], u <= t: the context without the condition. */
  readonly prompt: Tensor;
  /** 0 is unconditional, 1 is no guidance. */
  readonly scale: number;
  /** i32 of the shape of `prompt`: its rows of the within-block table. */
  readonly within?: Tensor;
  /** `[…of prompt, z]`: its vectors. Default zeros. */
  readonly latents?: Tensor;
  /** Further conditions: logits = u + scale · (c − u) + Σ scale_i · (c_i − u) (Liu et al. 2022). */
  readonly branches?: readonly GuidanceBranch[];
}

/** One more context whose conditions guide. */
export interface GuidanceBranch {
  /** i32 [b, n] or [1, n], n <= t. */
  readonly prompt: Tensor;
  /** 0 leaves the branch without effect. */
  readonly scale: number;
  /** i32 of the shape of `prompt`: its rows of the within-block table. */
  readonly within?: Tensor;
  /** `[…of prompt, z]`: its vectors. Default zeros. */
  readonly latents?: Tensor;
  /** bool of the shape of `prompt`, false at left padding. */
  readonly attentionMask?: Tensor;
}

/** Options of `generate`, `generateFixed` and `generateStream`. */
export interface GenerateOptions extends Abortable {
  /** New tokens of a row, at most. */
  readonly maxNewTokens: number;
  /** Needed unless temperature is 0. The same key, prompt and options give the same tokens. */
  readonly key?: Key;
  /** 0 is greedy; default 1. */
  readonly temperature?: number;
  /** Keeps the k most likely tokens. */
  readonly topK?: number;
  /** Keeps the most likely tokens that hold this probability together. */
  readonly topP?: number;
  /** Keeps tokens at least so many times as likely as the best, 0 to 1. */
  readonly minP?: number;
  /** 1 (default) is none. */
  readonly repetitionPenalty?: number;
  /** A row ends with the first of these; it is the row's last token. */
  readonly stopIds?: readonly number[];
  /** Written behind the end of a row; default 0. */
  readonly padId?: number;
  /** Only these ids can be sampled, at every step or at step 0, 1, …. */
  readonly allowed?: readonly IdRange[] | ((step: number) => readonly IdRange[]);
  /** `[b, t, z]`: vectors of the prompt's latent tokens, zeros at the others; for a model with `latent`. */
  readonly latents?: Tensor;
  /** bool [b, t], false at left padding. */
  readonly attentionMask?: Tensor;
  /** Rows of the within-block table: of the prompt, i32 [b, t], and of the new token of step 0, 1, …. */
  readonly within?: {
    /** i32 [b, t]. */
    readonly prompt: Tensor;
    /** Row of the new token of a step. */
    readonly next: (step: number) => number;
  };
  /** Classifier-free guidance; default none. */
  readonly guidance?: Guidance;
  /** Also return the logits of every step, before filters and temperature; default false. */
  readonly logits?: boolean;
}

/** @throws ShapeError, ValueError that names the option and the way out */
export function checkGenerateOptions(
  model: Decoder,
  prompt: Tensor,
  options: GenerateOptions,
): void {
  const { maxNewTokens, key, temperature = 1, guidance, stopIds = [], padId = 0 } = options;
  if (prompt.rank !== 2 || prompt.dtype !== 'i32' || prompt.shape[1] === 0) {
    throw new ShapeError(
      'generate',
      `the prompt is ${prompt.dtype}[${prompt.shape.join(',')}], not i32 [b, t] with t > 0`,
      [prompt.shape],
    );
  }
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
    fail(`maxNewTokens is ${maxNewTokens}, not a positive integer`);
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    fail(`temperature is ${temperature}, not 0 or more`);
  if (temperature > 0 && key === undefined)
    fail('sampling needs a key: give key, or temperature 0 for greedy');
  for (const id of [...stopIds, padId]) {
    if (!Number.isInteger(id) || id < 0 || id >= model.config.vocab) {
      fail(`token id ${id} is not in the vocabulary of ${model.config.vocab}`);
    }
  }
  const wantsWithin = model.config.positions.includes('within-block');
  if (wantsWithin !== (options.within !== undefined)) {
    fail(
      wantsWithin
        ? "the model has 'within-block' positions: give within"
        : "within is given, but the model has no 'within-block' positions",
    );
  }
  if (model.config.mixer === 'hyena') {
    checkHyenaLength(model.config, prompt.shape[1]! + maxNewTokens - 1);
  }
  checkLatents('', model, prompt, options.latents);
  if (guidance === undefined) return;
  checkContext('guidance', prompt, guidance, wantsWithin);
  checkLatents('guidance.', model, guidance.prompt, guidance.latents);
  guidance.branches?.forEach((branch, i) => {
    const name = `guidance.branches[${i}]`;
    checkContext(name, prompt, branch, wantsWithin);
    checkLatents(`${name}.`, model, branch.prompt, branch.latents);
    const { prompt: ids, attentionMask: mask } = branch;
    if (mask === undefined || (mask.dtype === 'bool' && sameShape(mask.shape, ids.shape))) return;
    throw new ShapeError(
      'generate',
      `${name}.attentionMask is ${mask.dtype}[${mask.shape.join(',')}], not bool [${ids.shape.join(',')}]`,
      [mask.shape],
    );
  });
}

function checkLatents(
  of: string,
  { config: { latent } }: Decoder,
  prompt: Tensor,
  latents: Tensor | undefined,
): void {
  if (latents === undefined) return;
  if (latent === null) fail(`${of}latents are given, but the model's configuration has no latent`);
  const wanted = [...prompt.shape, latent.dim];
  if (sameShape(latents.shape, wanted)) return;
  throw new ShapeError(
    'generate',
    `${of}latents are [${latents.shape.join(',')}], not [${wanted.join(',')}]`,
    [latents.shape],
  );
}

function checkContext(
  name: string,
  prompt: Tensor,
  { prompt: free, scale, within }: Omit<GuidanceBranch, 'attentionMask'>,
  wantsWithin: boolean,
): void {
  const [b, t] = prompt.shape as [number, number];
  const [rows, u] = free.shape as [number, number];
  if (free.rank !== 2 || free.dtype !== 'i32' || (rows !== b && rows !== 1) || u < 1 || u > t) {
    throw new ShapeError(
      'generate',
      `${name}.prompt is ${free.dtype}[${free.shape.join(',')}], not i32 [${b} or 1, 1 to ${t}]`,
      [free.shape, prompt.shape],
    );
  }
  if (!Number.isFinite(scale)) fail(`${name}.scale is ${scale}, not a number`);
  if (wantsWithin !== (within !== undefined)) {
    fail(
      wantsWithin
        ? `${name}.within is missing`
        : `${name}.within is given, but the model has no 'within-block' positions`,
    );
  }
  if (within !== undefined && !sameShape(within.shape, free.shape)) {
    throw new ShapeError(
      'generate',
      `${name}.within is [${within.shape.join(',')}], not [${free.shape.join(',')}]`,
      [within.shape],
    );
  }
}

function fail(message: string): never {
  throw new ValueError('generate', message);
}
