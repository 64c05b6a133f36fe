/** Generation with a static cache: at once, token by token, or as a stream. */
import {
  concat,
  noGrad,
  stack,
  type Tensor,
  tensor,
  throwIfAborted,
  tidy,
  ValueError,
} from '@loretta-ts/core';
import type { Decoder } from '../decoder/decoder';
import type { GenerateOptions } from './options';
import { DecodeSession } from './session';

/** What `generate` returns; the tensors belong to no scope, and the caller disposes of them. */
export interface Generated {
  /** i32 [b, t + n]: prompt and new tokens. */
  readonly ids: Tensor;
  /** i32 [b, n]: new tokens; n is less than asked for when every row stopped. */
  readonly tokens: Tensor;
  /** `[b, n, v]`: logits of every step, where they were asked for. */
  readonly logits: Tensor | null;
}

/**
 * `(prompt: i32[b, t]) -> i32[b, maxNewTokens]` without reading anything back: what LoReTTa's pseudo-modalities want.
 * No gradient flows through it. The result belongs to the running scope. It is synchronous: a signal is looked at once,
 * at the start.
 * @throws ValueError when `stopIds` are given: they need `generate`
 */
export function generateFixed(model: Decoder, prompt: Tensor, options: GenerateOptions): Tensor {
  if (options.stopIds !== undefined && options.stopIds.length > 0) {
    throw new ValueError(
      'generateFixed',
      'stopIds end rows early, which has to be read back: use generate',
    );
  }
  options.signal?.throwIfAborted();
  return tidy(() => noGrad(() => stack(fixedSteps(model, prompt, options, null), 1)));
}

/**
 * New tokens after a prompt `i32[b, t]`; stops when every row has met a stop id or `maxNewTokens` are there.
 * One small read-back per token where there are stop ids, none otherwise.
 * @param options.signal stops before the next token
 * @throws ShapeError, ValueError when an option does not fit; what the signal was aborted with
 */
export async function generate(
  model: Decoder,
  prompt: Tensor,
  options: GenerateOptions,
): Promise<Generated> {
  const steps: Tensor[] = [];
  const logits: Tensor[] | null = options.logits === true ? [] : null;
  const stops = options.stopIds !== undefined && options.stopIds.length > 0;
  if (!stops && options.signal === undefined) {
    return owned(
      tidy(() => noGrad(() => join(prompt, fixedSteps(model, prompt, options, logits), logits))),
    );
  }
  try {
    if (stops) {
      for await (const step of stoppingSteps(model, prompt, options, logits)) {
        steps.push(tensor(step, { shape: [step.length], dtype: 'i32' }).keep());
      }
    } else await unreadSteps(model, prompt, options, steps, logits);
    return owned(tidy(() => join(prompt, steps, logits)));
  } finally {
    for (const t of [...steps, ...(logits ?? [])]) t.dispose();
  }
}

/**
 * As `generate`, one `Int32Array` of b tokens a step, each as soon as it is there. Leaving the loop early frees
 * everything, and so does a signal.
 */
export async function* generateStream(
  model: Decoder,
  prompt: Tensor,
  options: GenerateOptions,
): AsyncGenerator<Int32Array, void, undefined> {
  yield* stoppingSteps(model, prompt, options, null);
}

function fixedSteps(
  model: Decoder,
  prompt: Tensor,
  options: GenerateOptions,
  logits: Tensor[] | null,
): Tensor[] {
  using session = new DecodeSession(model, prompt, options);
  const steps: Tensor[] = [];
  for (let s = 0; s < options.maxNewTokens; s++) {
    logits?.push(copy(session.logits()));
    const tokens = session.sample(); // [b]
    steps.push(tokens);
    if (s + 1 < options.maxNewTokens) session.feed(tokens);
  }
  return steps;
}

/** As `fixedSteps`, with a turn of the event loop before every token, into lists that the caller frees. */
async function unreadSteps(
  model: Decoder,
  prompt: Tensor,
  options: GenerateOptions,
  steps: Tensor[],
  logits: Tensor[] | null,
): Promise<void> {
  using session = new DecodeSession(model, prompt, options);
  for (let s = 0; s < options.maxNewTokens; s++) {
    await throwIfAborted(options.signal);
    logits?.push(copy(session.logits()).keep());
    const tokens = session.sample().keep(); // [b]
    steps.push(tokens);
    if (s + 1 < options.maxNewTokens) session.feed(tokens);
  }
}

async function* stoppingSteps(
  model: Decoder,
  prompt: Tensor,
  options: GenerateOptions,
  logits: Tensor[] | null,
): AsyncGenerator<Int32Array, void, undefined> {
  const { maxNewTokens, stopIds = [], padId = 0 } = options;
  using session = new DecodeSession(model, prompt, options);
  const stopped = new Set<number>();
  for (let s = 0; s < maxNewTokens; s++) {
    await throwIfAborted(options.signal);
    logits?.push(copy(session.logits()).keep());
    using sampled = session.sample().keep();
    const tokens = Int32Array.from(await sampled.data()); // [b]
    for (let i = 0; i < tokens.length; i++) {
      if (stopped.has(i)) tokens[i] = padId;
      else if (stopIds.includes(tokens[i]!)) stopped.add(i);
    }
    yield tokens.slice();
    if (stopped.size === tokens.length || s + 1 === maxNewTokens) return;
    using next = tensor(tokens, { shape: [tokens.length], dtype: 'i32' }).keep();
    session.feed(next);
  }
}

/** Out of the scope that happened to run when the call began. */
function owned(made: Generated): Generated {
  for (const t of [made.ids, made.tokens, made.logits]) t?.keep();
  return made;
}

/** A second handle: the session disposes of its own. */
function copy(t: Tensor): Tensor {
  return t.reshape(...t.shape);
}

function join(
  prompt: Tensor,
  steps: readonly Tensor[],
  logits: readonly Tensor[] | null,
): Generated {
  const tokens = stack(steps, 1); // [b, n]
  return {
    ids: concat([prompt, tokens], 1),
    tokens,
    logits: logits === null ? null : stack(logits, 1), // [b, n, v]
  };
}
