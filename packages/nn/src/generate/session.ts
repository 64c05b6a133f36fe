/** Decoding in steps: the cache, the rows of the contexts of guidance, and the choice of a token. */
import {
  broadcastTo,
  concat,
  construct,
  full,
  noGrad,
  ones,
  type Tensor,
  tidy,
  ValueError,
  zeros,
} from '@loretta-ts/core';
import type { Decoder } from '../decoder/decoder';
import { type Decoded, type DecodeInputs, type DecodePlan, Decoding } from './decoding';
import { type IdRange, rangeMask } from './filters';
import {
  checkGenerateOptions,
  type GenerateOptions,
  type Guidance,
  type GuidanceBranch,
} from './options';

/**
 * A decoder in the middle of a generation. Call `logits()`, choose tokens (`sample`), feed them (`feed`), in turn.
 * With guidance the cache also holds b rows with the free context and b for each further branch, padded on the left.
 */
export class DecodeSession {
  private readonly model: Decoder;
  private readonly options: GenerateOptions;
  private readonly plan: DecodePlan;
  private readonly prompt: Omit<Prompt, 'mask'>;
  /** bool [rows, plan.length]; null without padding. */
  private readonly seenKeys: Tensor | null;
  /** bool [v]: what may be sampled at every step; null where the span, the step or nothing says it. */
  private readonly fixedRanges: Tensor | null;
  private readonly decoding: Decoding;
  /** Of the latest step; null before the prompt. */
  private latest: Decoded | null = null;
  private step = 0;
  private open = true;

  /** @throws ShapeError, ValueError when an option does not fit */
  constructor(model: Decoder, prompt: Tensor, options: GenerateOptions) {
    checkGenerateOptions(model, prompt, options);
    const { allowed, maxNewTokens } = options;
    const fixed = typeof allowed === 'function' ? undefined : allowed;
    const span = fixed?.length === 1 && options.logits !== true ? fixed[0]! : null;
    const made = tidy(() =>
      noGrad(() => {
        // the span too is checked here
        const ranges = fixed === undefined ? null : rangeMask(fixed, model.config.vocab);
        const { ids, within, latents, mask } = allContexts(prompt, options);
        return {
          ranges: span === null ? ranges : null,
          ids,
          within,
          latents,
          keys:
            mask === null
              ? null
              : concat([mask, ones([mask.shape[0]!, maxNewTokens - 1], { dtype: 'bool' })], 1),
        };
      }),
    );
    this.model = model;
    this.options = options;
    this.prompt = {
      ids: own(made.ids, prompt),
      within: made.within === null ? null : own(made.within, options.within?.prompt),
      latents: made.latents === null ? null : own(made.latents, options.latents),
    };
    this.fixedRanges = made.ranges?.keep() ?? null;
    this.seenKeys = made.keys?.keep() ?? null;
    this.plan = planOf(prompt, made.ids, made.keys !== null, made.latents !== null, options, span);
    try {
      this.decoding = decodingFor(model, this.plan);
    } catch (error) {
      this.freeInputs();
      throw error;
    }
  }

  /**
   * `[b, v]`: logits of the next token, guided, before filters; of the allowed ids alone where they are one range and
   * `options.logits` is not set. They belong to the session until the next `feed`.
   */
  logits(): Tensor {
    return this.decoded().logits;
  }

  /** `i32[b]`: the next tokens, chosen by the options. */
  sample(): Tensor {
    return this.decoded().tokens.reshape(this.plan.batch);
  }

  /**
   * Takes `i32[b]` as the tokens of this step and computes the logits of the next.
   * @throws ValueError when there is no room, or no position, for more
   */
  feed(tokens: Tensor): void {
    const { rows } = this.plan;
    const old = this.decoded();
    this.checkPosition();
    const within = this.options.within?.next(this.step);
    this.latest = this.kept(() =>
      this.decoding.next(
        tokens,
        this.inputs(
          this.step + 1,
          within === undefined ? null : full([rows, 1], within, { dtype: 'i32' }),
          null,
        ),
        this.options.maxNewTokens - this.step,
      ),
    );
    this.step++;
    old.logits.dispose();
    old.tokens.dispose();
  }

  /** Frees the cache and everything that the session keeps. */
  dispose(): void {
    if (!this.open) return;
    this.open = false;
    this.freeInputs();
    this.latest?.logits.dispose();
    this.latest?.tokens.dispose();
    this.decoding.rest();
    this.model.decodings.give(keyOf(this.plan), this.decoding);
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private freeInputs(): void {
    const { ids, within, latents } = this.prompt;
    for (const t of [ids, within, latents, this.seenKeys, this.fixedRanges]) t?.dispose();
  }

  private decoded(): Decoded {
    const { ids, within, latents } = this.prompt;
    this.latest ??= this.kept(() => this.decoding.prompt(ids, this.inputs(0, within, latents)));
    return this.latest;
  }

  private kept(decode: () => Decoded): Decoded {
    const { logits, tokens } = noGrad(() => tidy(decode));
    return { logits: logits.keep(), tokens: tokens.keep() };
  }

  private inputs(step: number, within: Tensor | null, latents: Tensor | null): DecodeInputs {
    const { allowed, key } = this.options;
    return {
      seenKeys: this.seenKeys,
      within,
      latents,
      ranges:
        typeof allowed === 'function'
          ? rangeMask(allowed(step), this.model.config.vocab)
          : this.fixedRanges,
      key: this.plan.choice.temperature === 0 ? null : key!.fold(step).tensor(),
    };
  }

  /** @throws ValueError where the learned table has no position for one more token */
  private checkPosition(): void {
    const { positions, maxLength } = this.model.config;
    const length = this.decoding.tokens;
    if (this.plan.padded || !positions.includes('learned') || length < maxLength) return;
    throw new ValueError(
      'Decoder',
      `${length + 1} tokens, but the learned table has ${maxLength} positions (maxLength)`,
    );
  }
}

function planOf(
  prompt: Tensor,
  ids: Tensor,
  padded: boolean,
  latents: boolean,
  options: GenerateOptions,
  span: IdRange | null,
): DecodePlan {
  const { allowed, guidance, temperature, topK, topP, minP, repetitionPenalty } = options;
  return {
    batch: prompt.shape[0]!,
    rows: ids.shape[0]!,
    prompt: ids.shape[1]!,
    length: ids.shape[1]! + options.maxNewTokens - 1,
    padded,
    within: options.within !== undefined,
    latents,
    masked: allowed !== undefined && span === null,
    guidance: guidance === undefined ? null : scalesOf(guidance),
    choice: {
      span,
      temperature: temperature ?? 1,
      topK: topK ?? null,
      topP: topP ?? null,
      minP: minP ?? null,
      repetitionPenalty: repetitionPenalty ?? 1,
    },
  };
}

/** Plans of one key are the same. */
function keyOf(plan: DecodePlan): string {
  return JSON.stringify(plan);
}

/** What decodes by this plan, with the recordings of an earlier generation where there are some. */
function decodingFor(model: Decoder, plan: DecodePlan): Decoding {
  const kept = model.decodings.take(keyOf(plan));
  if (kept instanceof Decoding && kept.current) {
    try {
      kept.reopen();
    } catch (error) {
      kept.rest();
      model.decodings.give(keyOf(plan), kept);
      throw error;
    }
    return kept;
  }
  kept?.[Symbol.dispose]();
  return construct(() => new Decoding(model, plan));
}

interface Prompt {
  /** i32 [rows, t]. */
  readonly ids: Tensor;
  /** i32 [rows, t]. */
  readonly within: Tensor | null;
  /** `[rows, t, z]`. */
  readonly latents: Tensor | null;
  /** bool [rows, t]. */
  readonly mask: Tensor | null;
}

function scalesOf({ scale, branches = [] }: Guidance): readonly number[] {
  return [scale, ...branches.map((branch) => branch.scale)];
}

/** The prompt, under it the free context of guidance and its further branches, padded on the left to the same length. */
function allContexts(prompt: Tensor, options: GenerateOptions): Prompt {
  const { guidance, within, attentionMask } = options;
  const [b, t] = prompt.shape as [number, number];
  if (guidance === undefined) {
    return {
      ids: prompt,
      within: within?.prompt ?? null,
      latents: options.latents ?? null,
      mask: attentionMask ?? null,
    };
  }
  const rest: readonly Omit<GuidanceBranch, 'scale'>[] = [guidance, ...(guidance.branches ?? [])];
  const filled = (x: Tensor): Tensor => {
    const u = x.shape[1]!;
    const rows = broadcastTo(x, [b, u]);
    return u === t
      ? rows
      : concat([zeros([b, t - u], { dtype: x.dtype as 'i32' | 'bool' }), rows], 1); // [b, t]
  };
  const padded =
    attentionMask !== undefined ||
    rest.some((x) => x.prompt.shape[1]! < t || x.attentionMask !== undefined);
  return {
    ids: concat([prompt, ...rest.map((x) => filled(x.prompt))], 0), // [rows, t]
    within:
      within === undefined
        ? null
        : concat([within.prompt, ...rest.map((x) => filled(x.within!))], 0),
    latents: contextLatents(prompt, options.latents, rest),
    mask: padded
      ? concat(
          [
            attentionMask ?? ones([b, t], { dtype: 'bool' }),
            ...rest.map((x) => filled(x.attentionMask ?? ones(x.prompt.shape, { dtype: 'bool' }))),
          ],
          0,
        )
      : null,
  };
}

/** `[rows, t, z]`, zeros where a context has no vectors, and at its padding; null where none has. */
function contextLatents(
  prompt: Tensor,
  given: Tensor | undefined,
  rest: readonly Omit<GuidanceBranch, 'scale'>[],
): Tensor | null {
  const all = [given, ...rest.map((x) => x.latents)];
  const some = all.find((x) => x !== undefined);
  if (some === undefined) return null;
  const [b, t] = prompt.shape as [number, number];
  const z = some.shape[2]!;
  const dtype = some.dtype === 'f64' ? 'f64' : 'f32';
  return concat(
    all.map((x) => {
      if (x === undefined) return zeros([b, t, z], { dtype });
      const u = x.shape[1]!;
      const rows = broadcastTo(x, [b, u, z]);
      return u === t ? rows : concat([zeros([b, t - u, z], { dtype }), rows], 1);
    }),
    0,
  );
}

/** A handle that the session may dispose: the caller's tensor gets a second one. */
function own(t: Tensor, callers: Tensor | undefined): Tensor {
  return (t === callers ? t.reshape(...t.shape) : t).keep();
}
