/** Blocks, enumerations and slow likelihoods for the tests of inference. */
import { hostRandom, tensor, tidy } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import { type Block, pack, sameOrder } from '../src/sequence';
import { Vocabulary } from '../src/vocabulary';
import { randomBlock, smallModel } from './objectives-setup';

/** Two modalities over two tokens each: everything can be enumerated. */
export const PAIR = new Vocabulary([
  { name: 'X', vocabSize: 2, length: 3, variable: false },
  { name: 'V', vocabSize: 2, length: 2, variable: true },
  { name: 'Z', vocabSize: 3, length: 1, variable: false },
]);

export const pairModel = (): Decoder => smallModel(PAIR, { initStd: 0.6 });

export function blocksOf(
  vocab: Vocabulary,
  names: readonly string[],
  b: number,
  seed: number,
): Block[] {
  const random = hostRandom(seed);
  return names.map((modality) => ({
    modality,
    ids: randomBlock(vocab, modality, b, random),
    generated: false,
  }));
}

/** Every block of a modality, `[k, length]`; shorter ones of a variable modality too. */
export function everyBlock(vocab: Vocabulary, name: string): Int32Array {
  const { length, variable } = vocab.modality(name);
  const [from, to] = vocab.content(name);
  const grow = (head: readonly number[]): number[][] => {
    if (head.length === length) return [[...head]];
    const ended = variable && head.length > 0 ? [[...head, to]] : [];
    const rest = Array.from({ length: to - from }, (_, i) => grow([...head, from + i])).flat();
    return [...ended, ...rest];
  };
  return Int32Array.from(
    grow([]).flatMap((ids) => [
      ...ids,
      ...new Array<number>(length - ids.length).fill(Vocabulary.PAD),
    ]),
  );
}

/** The same row b times. */
export const wide = (block: Block, b: number): Block => ({
  ...block,
  ids: Int32Array.from(
    { length: b * block.ids.length },
    (_, i) => block.ids[i % block.ids.length]!,
  ),
});

/** Throws unless the ids are whole blocks of the modality: its content, one end token and PAD where that is allowed. */
export function checkBlock(vocab: Vocabulary, modality: string, ids: Int32Array, b: number): void {
  pack(vocab, [{ modality, ids, generated: true }], sameOrder(b, [0]), { lossOn: 'all' });
}

/** log p of one row's content tokens by a full pass without batch, over the ids that may stand there. */
export function slowLogLikelihood(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Block[],
  target: Block,
): number {
  const tokens = [...condition, target].flatMap(({ modality, ids }) =>
    [vocab.start(modality), ...ids.filter((id) => id !== Vocabulary.PAD)].map(
      (id, i) => [id, vocab.within(modality, i)] as const,
    ),
  );
  const content = target.ids.filter((id) => id !== Vocabulary.PAD);
  const first = tokens.length - content.length - 1; // the modality token
  const [from, to] = vocab.content(target.modality);
  return tidy(() => {
    const [ids, within] = [0, 1].map((k) =>
      tensor(Int32Array.from(tokens, (x) => x[k]!)).reshape(1, -1),
    );
    const logits = Array.from(model.logits(model.forward(ids!, { within: within! })).dataSync());
    return content.reduce((sum, id, place) => {
      const all = logits.slice((first + place) * vocab.size, (first + place + 1) * vocab.size);
      const ends = vocab.modality(target.modality).variable && place > 0;
      const allowed = all.slice(from, to + (ends ? 1 : 0)).map(Number);
      const total = Math.log(allowed.reduce((s, x) => s + Math.exp(x), 0));
      return sum + Number(all[id]!) - total;
    }, 0);
  });
}
