/** Decoding in steps: the cache, the rows of both contexts of guidance, and the choice of a token. */
import {
  broadcastTo,
  concat,
  full,
  type KeyLike,
  noGrad,
  ones,
  pad,
  sum,
  type Tensor,
  tidy,
  uniform,
  where,
  zeros,
} from '@loretta-ts/core';
import { KVCache } from '../decoder/cache';
import type { Decoder } from '../decoder/decoder';
import {
  allowRanges,
  alsoSeen,
  applyTemperature,
  greedy,
  type IdRange,
  minPFilter,
  rangeMask,
  repetitionPenalty,
  sampleInverseCdf,
  seenTokens,
  topKFilter,
  topPFilter,
} from './filters';
import { checkGenerateOptions, type GenerateOptions } from './options';
import { DecodeStep, type StepResult } from './step';

/** Recording a step costs as much as some steps: with fewer left it does not pay. */
const FEWEST = 6;

/**
 * A decoder in the middle of a generation. Call `logits()`, choose tokens (`sample`), feed them (`feed`), in turn.
 * With guidance the cache holds 2b rows, the second half with the free context, padded on the left.
 */
export class DecodeSession {
  private readonly model: Decoder;
  private readonly options: GenerateOptions;
  private readonly batch: number;
  private readonly cache: KVCache;
  private readonly prompt: Prompt;
  /** bool [rows, cache.maxLength]; null without padding. */
  private readonly seenKeys: Tensor | null;
  /** i32 [rows, 1]: real tokens of the prompt; null without padding. */
  private readonly realTokens: Tensor | null;
  /** bool [v]: what may be sampled at every step; null where `span` or nothing says it. */
  private readonly fixedRanges: Tensor | null;
  /** The only ids that may be sampled, where they are one range: logits are computed for it alone. */
  private readonly span: IdRange | null;
  private seen: Tensor | null;
  private current: Tensor | null = null;
  /** i32 [b]: the choice from `current`, where the recorded step made it. */
  private chosen: Tensor | null = null;
  private recorded: DecodeStep | null = null;
  private step = 0;

  /** @throws ShapeError, ValueError when an option does not fit */
  constructor(model: Decoder, prompt: Tensor, options: GenerateOptions) {
    checkGenerateOptions(model, prompt, options);
    const { allowed, repetitionPenalty: penalty = 1, maxNewTokens } = options;
    const [b, t] = prompt.shape as [number, number];
    const fixed = typeof allowed === 'function' ? undefined : allowed;
    this.span = fixed?.length === 1 && options.logits !== true ? fixed[0]! : null;
    this.model = model;
    this.options = options;
    this.batch = b;
    const made = tidy(() =>
      noGrad(() => {
        const ranges = fixed === undefined ? null : rangeMask(fixed, model.config.vocab);
        const whole = bothContexts(prompt, options);
        const mask = whole.mask;
        return {
          ranges,
          prompt: whole,
          keys:
            mask === null
              ? null
              : concat([mask, ones([mask.shape[0]!, maxNewTokens - 1], { dtype: 'bool' })], 1),
          real: mask === null ? null : sum(mask.cast('i32'), 1, { keepDims: true }),
          seen:
            penalty === 1
              ? null
              : seenTokens(prompt, model.config.vocab, options.attentionMask ?? null),
        };
      }),
    );
    this.prompt = {
      ids: own(made.prompt.ids, prompt),
      within: made.prompt.within === null ? null : own(made.prompt.within, options.within?.prompt),
      mask: made.prompt.mask === null ? null : own(made.prompt.mask, options.attentionMask),
    };
    if (this.span !== null) made.ranges?.dispose();
    this.fixedRanges = this.span === null ? (made.ranges?.keep() ?? null) : null;
    this.seenKeys = made.keys?.keep() ?? null;
    this.realTokens = made.real?.keep() ?? null;
    this.seen = made.seen?.keep() ?? null;
    this.cache = new KVCache(model.config, this.prompt.ids.shape[0]!, t + maxNewTokens - 1);
  }

  /**
   * `[b, v]`: logits of the next token, guided, before filters; of the allowed ids alone where they are one range and
   * `options.logits` is not set. They belong to the session until the next `feed`.
   */
  logits(): Tensor {
    this.current ??= noGrad(() => tidy(() => this.forwardPrompt())).keep();
    return this.current;
  }

  /** `i32[b]`: the next tokens, chosen by the options. */
  sample(): Tensor {
    if (this.chosen !== null) return this.chosen.reshape(this.batch);
    const logits = this.logits();
    return noGrad(() => tidy(() => this.choose(logits, this.options.key?.fold(this.step) ?? null)));
  }

  /** Takes `i32[b]` as the tokens of this step and computes the logits of the next. */
  feed(tokens: Tensor): void {
    const { logits, tokens: chosen } = noGrad(() => tidy(() => this.forwardTokens(tokens)));
    this.current?.dispose();
    this.chosen?.dispose();
    this.current = logits.keep();
    this.chosen = chosen?.keep() ?? null;
    this.step++;
  }

  /** Frees the cache and everything that the session keeps. */
  dispose(): void {
    const { prompt, cache } = this;
    this.recorded?.dispose();
    cache.dispose();
    const rest = [
      prompt.ids,
      prompt.within,
      prompt.mask,
      this.seenKeys,
      this.realTokens,
      this.fixedRanges,
    ];
    for (const t of [...rest, this.seen, this.current, this.chosen]) t?.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private forwardPrompt(): Tensor {
    const { ids, within } = this.prompt;
    const [rows, t] = ids.shape as [number, number];
    const hidden = this.model.forward(ids, {
      cache: this.cache,
      ...(within === null ? {} : { within }),
      ...(this.seenKeys === null ? {} : { attentionMask: this.seenKeys }),
    }); // [rows, t, d]
    return this.guided(hidden.narrow(1, t - 1, 1).reshape(rows, this.model.config.dim));
  }

  private forwardTokens(tokens: Tensor): StepResult {
    if (this.seen !== null) {
      const seen = alsoSeen(this.seen, tokens).keep();
      this.seen.dispose();
      this.seen = seen;
    }
    const within = this.options.within?.next(this.step);
    if (this.recorded === null && this.options.maxNewTokens - this.step > FEWEST && this.fits()) {
      this.recorded = this.record();
    }
    if (this.recorded !== null && this.fits()) {
      return this.recorded.run(tokens, within, this.options.key?.fold(this.step + 1) ?? null);
    }
    const rows = this.cache.batch;
    const logits = this.forwardRows(
      tokens,
      within === undefined ? undefined : full([rows, 1], within, { dtype: 'i32' }),
      this.realTokens?.add(this.step),
    );
    return { logits, tokens: null };
  }

  /** Logits behind `tokens` i32 [b]; without positions those of the cache's length. */
  private forwardRows(
    tokens: Tensor,
    within: Tensor | undefined,
    positions: Tensor | undefined,
  ): Tensor {
    const rows = this.cache.batch;
    const ids = (rows === this.batch ? tokens : concat([tokens, tokens], 0)).reshape(rows, 1);
    const hidden = this.model.forward(ids, {
      cache: this.cache,
      ...(within === undefined ? {} : { within }),
      ...(this.seenKeys === null ? {} : { attentionMask: this.seenKeys }),
      ...(positions === undefined ? {} : { positions }),
    }); // [rows, 1, d]
    return this.guided(hidden.reshape(rows, this.model.config.dim));
  }

  /** Whether there is a position for one more token; the forward pass says it where there is none. */
  private fits(): boolean {
    const { positions, maxLength } = this.model.config;
    return !positions.includes('learned') || this.cache.length < maxLength;
  }

  private record(): DecodeStep {
    const { allowed, temperature = 1 } = this.options;
    // what changes from step to step is chosen by the host
    const onDevice = this.seen === null && typeof allowed !== 'function';
    const promptLength = this.prompt.ids.shape[1]!;
    return new DecodeStep(this.model, this.cache, {
      forward: (tokens, within, positions) => this.forwardRows(tokens, within, positions),
      choose: onDevice ? (logits, key) => this.choose(logits, key) : null,
      behind: this.realTokens?.mul(-1).add(promptLength) ?? null,
      sampled: onDevice && temperature > 0,
      within: this.options.within !== undefined,
    });
  }

  /** `[rows, d] -> [b, v]`, or [b, to - from] of the span. */
  private guided(hidden: Tensor): Tensor {
    const logits = this.model.logits(hidden, this.span);
    const { guidance } = this.options;
    if (guidance === undefined) return logits;
    const conditional = logits.narrow(0, 0, this.batch);
    const free = logits.narrow(0, this.batch, this.batch);
    return free.add(conditional.sub(free).mul(guidance.scale));
  }

  private choose(logits: Tensor, key: KeyLike | null): Tensor {
    const tokens = this.pick(logits, key);
    return this.span === null || this.span[0] === 0 ? tokens : tokens.add(this.span[0]);
  }

  /** `i32[b]`: columns of the logits. */
  private pick(logits: Tensor, key: KeyLike | null): Tensor {
    const {
      allowed,
      temperature = 1,
      topK,
      topP,
      minP,
      repetitionPenalty: penalty = 1,
    } = this.options;
    let x = logits; // [b, v]
    if (this.fixedRanges !== null) x = where(this.fixedRanges, x, -Infinity);
    else if (typeof allowed === 'function') x = allowRanges(x, allowed(this.step));
    if (this.seen !== null) {
      const [from, to] = this.span ?? [0, this.model.config.vocab];
      x = repetitionPenalty(x, this.seen.narrow(1, from, to - from), penalty);
    }
    if (temperature === 0) return greedy(x);
    x = applyTemperature(x, temperature);
    if (topK !== undefined) x = topKFilter(x, topK);
    if (topP !== undefined) x = topPFilter(x, topP);
    if (minP !== undefined) x = minPFilter(x, minP);
    const u = uniform(key!, [this.batch], { dtype: this.model.config.dtype });
    return sampleInverseCdf(x, u);
  }
}

interface Prompt {
  /** i32 [rows, t]. */
  readonly ids: Tensor;
  /** i32 [rows, t]. */
  readonly within: Tensor | null;
  /** bool [rows, t]. */
  readonly mask: Tensor | null;
}

/** The prompt, and under it the free context of guidance, padded on the left to the same length. */
function bothContexts(prompt: Tensor, options: GenerateOptions): Prompt {
  const { guidance, within, attentionMask } = options;
  const [b, t] = prompt.shape as [number, number];
  if (guidance === undefined) {
    return { ids: prompt, within: within?.prompt ?? null, mask: attentionMask ?? null };
  }
  const u = guidance.prompt.shape[1]!;
  const under = (top: Tensor, bottom: Tensor): Tensor => {
    const rows = broadcastTo(bottom, [b, u]);
    return concat(
      [
        top,
        u === t
          ? rows
          : pad(rows, [
              [0, 0],
              [t - u, 0],
            ]),
      ],
      0,
    ); // [2b, t]
  };
  const padded = u < t || attentionMask !== undefined;
  return {
    ids: under(prompt, guidance.prompt),
    within: within === undefined ? null : under(within.prompt, guidance.within!),
    mask: padded
      ? concat([
          attentionMask ?? ones([b, t], { dtype: 'bool' }),
          concat([zeros([b, t - u], { dtype: 'bool' }), ones([b, u], { dtype: 'bool' })], 1),
        ])
      : null,
  };
}

/** A handle that the session may dispose: the caller's tensor gets a second one. */
function own(t: Tensor, callers: Tensor | undefined): Tensor {
  return (t === callers ? t.reshape(...t.shape) : t).keep();
}
