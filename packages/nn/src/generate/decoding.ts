/** Decoding, recorded once and replayed for every token: no dispatch, no allocation of intermediates. */
import {
  broadcastTo,
  type Captured,
  capture,
  concat,
  type State,
  sum,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from '@loretta-ts/core';
import type { DecoderCache } from '../decoder/cache';
import type { Decoder } from '../decoder/decoder';
import { makeCache } from '../decoder/make-cache';
import type { Param } from '../module';
import { type Choice, chooseTokens } from './choose';
import { alsoSeen, seenTokens } from './filters';

/** With fewer tokens to come, in a first generation, recording would cost more than it gives. */
const FEWEST = 6;

/** All that a generation's programs depend on, as plain values: those of equal plans are the same. */
export interface DecodePlan {
  /** Rows b of tokens. */
  readonly batch: number;
  /** Rows of the cache: with guidance, b behind the prompt, b without the condition, b for each further branch. */
  readonly rows: number;
  /** Tokens t of the prompt. */
  readonly prompt: number;
  /** Tokens that fit the cache. */
  readonly length: number;
  /** Some keys are padding, so rows count their positions apart. */
  readonly padded: boolean;
  /** The decoder has within-block positions. */
  readonly within: boolean;
  /** The prompt has vectors. */
  readonly latents: boolean;
  /** What may be sampled is an input. */
  readonly masked: boolean;
  /** Scales of guidance: of the prompt, then of each further branch; null without. */
  readonly guidance: readonly number[] | null;
  /** How tokens are chosen. */
  readonly choice: Choice;
}

/** What changes from step to step, or from one generation to the next; null where the plan says there is none. */
export interface DecodeInputs {
  /** bool [rows, length], false at padding. */
  readonly seenKeys: Tensor | null;
  /** i32 [rows, t] with the prompt, [rows, 1] with tokens. */
  readonly within: Tensor | null;
  /** `[rows, t, z]` with the prompt, null with tokens. */
  readonly latents: Tensor | null;
  /** bool [v]: what may be chosen. */
  readonly ranges: Tensor | null;
  /** i32 [2]: key of the choice. */
  readonly key: Tensor | null;
}

/** What a step gives. */
export interface Decoded {
  /** `[b, n]`: guided, before filters; n ids of the span, or all. */
  readonly logits: Tensor;
  /** i32 [b]: the choice from these logits. */
  readonly tokens: Tensor;
}

interface DecodedPrompt extends Decoded {
  /** i32 [rows, 1]: real tokens less t, with padding. */
  readonly shift: Tensor | null;
  /** bool [b, v]: tokens of the prompt, where they are penalised. */
  readonly seen: Tensor | null;
}

/**
 * Decoding by one plan: cache, counter and the two programs, for one generation after the other. Each calls `prompt`,
 * then `next` for every token, then `rest`, and the one behind it `reopen`. Parameters are read anew at every call.
 */
export class Decoding implements Disposable {
  private readonly model: Decoder;
  private readonly plan: DecodePlan;
  private readonly parameters: readonly Param[];
  private readonly cache: DecoderCache;
  private readonly promptProgram: Captured<DecodedPrompt>;
  private readonly nextProgram: Captured<Decoded>;
  /** i32 [1]: tokens in the cache. */
  private readonly length: State = nothing();
  /** bool [b, v]: tokens so far, where they are penalised. */
  private readonly seen: State = nothing();
  private shift: Tensor | null = null;
  private again = false;
  private recorded = false;

  constructor(model: Decoder, plan: DecodePlan) {
    this.model = model;
    this.plan = plan;
    this.parameters = model.parameters();
    this.cache = makeCache(model.config, plan.rows, plan.length);
    const state = [...this.parameters, ...this.cache.states()];
    this.promptProgram = capture((...xs: Tensor[]) => this.computePrompt(xs), { state });
    this.nextProgram = capture((...xs: Tensor[]) => this.computeNext(xs), {
      state: [...state, this.length, ...(this.penalises ? [this.seen] : [])],
    });
  }

  /** Whether the model still has the parameters that this was made for. */
  get current(): boolean {
    const now = this.model.parameters();
    const { parameters } = this;
    return now.length === parameters.length && now.every((p, i) => p === parameters[i]);
  }

  /** Tokens in the cache. */
  get tokens(): number {
    return this.cache.length;
  }

  private get penalises(): boolean {
    return this.plan.choice.repetitionPenalty !== 1;
  }

  /** After `rest`: everything is forgotten but the recordings. */
  reopen(): void {
    this.cache.reset();
    this.again = true;
  }

  /** Takes the prompt i32 [rows, t], and chooses the first tokens. */
  prompt(ids: Tensor, inputs: DecodeInputs): Decoded {
    const { seenKeys, within, latents, ranges, key } = inputs;
    const given = present([ids, seenKeys, within, latents, ranges, key]);
    const { logits, tokens, shift, seen } = this.again
      ? this.promptProgram.call(...given)
      : this.computePrompt(given);
    this.cache.advance(this.plan.prompt);
    put(this.length, tensor([this.plan.prompt], { dtype: 'i32' }));
    if (seen !== null) put(this.seen, seen);
    this.shift = shift?.keep() ?? null;
    return { logits, tokens };
  }

  /**
   * Takes `tokens` i32 [b], and chooses the next.
   * @param left tokens that are wanted from here on @throws ValueError when the cache is full
   */
  next(tokens: Tensor, inputs: DecodeInputs, left: number): Decoded {
    this.cache.check(this.plan.rows, 1);
    const { seenKeys, within, ranges, key } = inputs;
    const given = present([tokens, seenKeys, this.shift, within, ranges, key]);
    this.recorded ||= this.again || left > FEWEST;
    const result = this.recorded ? this.nextProgram.call(...given) : this.computeNext(given);
    this.cache.advance(1);
    return result;
  }

  private computePrompt([ids, ...rest]: Tensor[]): DecodedPrompt {
    const { model, plan, cache } = this;
    const { prompt, rows, batch } = plan;
    const seenKeys = plan.padded ? rest.shift()! : null;
    const within = plan.within ? rest.shift()! : null;
    const latents = plan.latents ? rest.shift()! : null;
    cache.place = { start: 0, lengths: null };
    try {
      const hidden = model.forward(ids!, {
        cache,
        ...(within === null ? {} : { within }),
        ...(latents === null ? {} : { latents }),
        ...(seenKeys === null ? {} : { attentionMask: seenKeys }),
      }); // [rows, t, d]
      const last = hidden.narrow(1, prompt - 1, 1).reshape(rows, model.config.dim);
      const real = seenKeys?.narrow(1, 0, prompt) ?? null;
      const seen = this.penalises
        ? seenTokens(
            ids!.narrow(0, 0, batch),
            model.config.vocab,
            real?.narrow(0, 0, batch) ?? null,
          )
        : null;
      const shift = real === null ? null : sum(real.cast('i32'), 1, { keepDims: true }).sub(prompt);
      return { ...this.choose(last, seen, rest), shift, seen };
    } finally {
      cache.place = null;
    }
  }

  private computeNext([tokens, ...rest]: Tensor[]): Decoded {
    const { model, plan, cache, length, seen } = this;
    const { rows, batch } = plan;
    const seenKeys = plan.padded ? rest.shift()! : null;
    const shift = plan.padded ? rest.shift()! : null;
    const within = plan.within ? rest.shift()! : null;
    const ids = rows === batch ? tokens! : concat(new Array<Tensor>(rows / batch).fill(tokens!), 0);
    const at = length.value; // [1]
    const after = at.add(1);
    cache.place = { start: at.reshape(), lengths: broadcastTo(after, [rows]) };
    try {
      const hidden = model.forward(ids.reshape(rows, 1), {
        cache,
        positions: shift === null ? at : at.add(shift),
        ...(within === null ? {} : { within }),
        ...(seenKeys === null ? {} : { attentionMask: seenKeys }),
      }); // [rows, 1, d]
      put(length, after);
      if (this.penalises) put(seen, alsoSeen(seen.value, tokens!));
      const last = hidden.reshape(rows, model.config.dim);
      return this.choose(last, this.penalises ? seen.value : null, rest);
    } finally {
      cache.place = null;
    }
  }

  /** From `[rows, d]`, and what is left of the inputs: ranges and key, where the plan has them. */
  private choose(hidden: Tensor, seen: Tensor | null, rest: Tensor[]): Decoded {
    const { batch, guidance, masked, choice } = this.plan;
    let logits = this.model.logits(hidden, choice.span); // [rows, n]
    if (guidance !== null) {
      const all = logits; // c, u, c_1, …
      const free = all.narrow(0, batch, batch);
      logits = guidance.reduce((sum, scale, i) => {
        const branch = all.narrow(0, i === 0 ? 0 : (i + 1) * batch, batch);
        return sum.add(branch.sub(free).mul(scale));
      }, free);
    }
    const ranges = masked ? rest.shift()! : null;
    const key = rest.shift() ?? null;
    return { logits, tokens: chooseTokens(logits, choice, { ranges, seen, key }) };
  }

  /** Frees all device memory but constants; the recordings stay for the next generation. */
  rest(): void {
    this.promptProgram.rest();
    this.nextProgram.rest();
    this.cache.dispose();
    for (const t of [this.length.value, this.seen.value, this.shift]) t?.dispose();
  }

  /** Frees everything. */
  [Symbol.dispose](): void {
    this.rest();
    this.promptProgram.dispose();
    this.nextProgram.dispose();
  }
}

/** To hold a tensor later. */
function nothing(): State {
  return { value: tidy(() => zeros([0]).keep()) };
}

/** Replaces the tensor that is held. */
function put(state: State, next: Tensor): void {
  const old = state.value;
  state.value = next.keep();
  old.dispose();
}

function present(xs: readonly (Tensor | null)[]): Tensor[] {
  return xs.filter((x) => x !== null);
}
