/** A GPT over single characters: the text is its own vocabulary. */
import { hostRandom, key, tensor, tidy, ValueError, valueAndGrad } from '@loretta-ts/core';
import {
  AdamW,
  clipGradNorm,
  cosineWarmupMin,
  crossEntropyLoss,
  Decoder,
  generate,
} from '@loretta-ts/nn';

/** What can be chosen. */
export interface CharGptOptions {
  readonly steps: number;
  /** Characters that the model sees at once. */
  readonly context: number;
  readonly batch: number;
  readonly seed: number;
  /** Called after every tenth of the steps, with bits per character on the tenth of the text that is held out. */
  readonly onProgress?: (step: number, train: number, heldOut: number) => void;
}

/** A trained model, and how to write with it. */
export interface CharGpt {
  readonly model: Decoder;
  /** Bits per character on held-out text: before training and after. */
  readonly heldOut: { readonly before: number; readonly after: number };
  /** Goes on from a prompt for `length` characters. */
  write(prompt: string, length: number, temperature?: number): Promise<string>;
}

/** @throws ValueError for a text that is too short */
export async function trainCharGpt(text: string, options: CharGptOptions): Promise<CharGpt> {
  const { steps, context, batch, seed, onProgress } = options;
  const characters = [...new Set(text)].sort();
  const idOf = new Map(characters.map((character, id) => [character, id]));
  const ids = Int32Array.from(text, (character) => idOf.get(character)!);
  const cut = Math.floor(ids.length * 0.9);
  if (ids.length - cut < context + 2)
    throw new ValueError('char-gpt', `${ids.length} characters are too few: give a longer text`);

  const model = new Decoder(
    {
      vocab: characters.length,
      dim: 64,
      layers: 2,
      heads: 4,
      mlp: 'swiglu',
      maxLength: 4 * context,
    },
    key(seed),
  );
  const adam = new AdamW(model.namedParameters(), { weightDecay: 0.1 });
  const rate = cosineWarmupMin(4e-3, Math.ceil(steps / 20), steps, 4e-4);
  const random = hostRandom(seed);

  /** Windows of `part` and the same one character later, each [batch, context]. */
  const draw = (part: Int32Array) => {
    const starts = Array.from({ length: batch }, () => random.int(part.length - context));
    const rows = (shift: number) =>
      tensor(
        Int32Array.from(
          { length: batch * context },
          (_, i) => part[starts[Math.floor(i / context)]! + (i % context) + shift]!,
        ),
        { shape: [batch, context] },
      );
    return [rows(0), rows(1)] as const;
  };
  const lossOn = (part: Int32Array) => {
    const [x, y] = draw(part);
    return crossEntropyLoss(model.logits(model.forward(x)), y);
  };
  const heldOut = async (): Promise<number> => {
    let nats = 0;
    for (let i = 0; i < 4; i++) {
      using loss = tidy(() => lossOn(ids.subarray(cut)));
      nats += (await loss.item()) / 4;
    }
    return nats / Math.LN2;
  };

  const before = await heldOut();
  for (let step = 0; step < steps; step++) {
    const { value, grads } = valueAndGrad(model.parameters(), () => lossOn(ids.subarray(0, cut)));
    const { scale } = await clipGradNorm(grads, 1);
    adam.step(grads, { lr: rate(step), gradScale: scale });
    const done = step + 1;
    if (onProgress && (done % Math.ceil(steps / 10) === 0 || done === steps))
      onProgress(done, (await value.item()) / Math.LN2, await heldOut());
    value.dispose();
    grads.dispose();
  }
  adam.dispose();

  return {
    model,
    heldOut: { before, after: await heldOut() },
    async write(prompt, length, temperature = 0.8) {
      const known = [...prompt].map((character) => {
        const id = idOf.get(character);
        if (id === undefined)
          throw new ValueError('char-gpt', `the text has no ${JSON.stringify(character)}`);
        return id;
      });
      using start = tensor([known], { dtype: 'i32' });
      const { ids: all, tokens } = await generate(model, start, {
        maxNewTokens: length,
        temperature,
        key: key(seed + 1),
      });
      const written = Array.from(await all.data(), (id) => characters[id]!).join('');
      all.dispose();
      tokens.dispose();
      return written;
    },
  };
}
