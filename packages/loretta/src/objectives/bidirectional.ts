/**
 * Masked modelling by an encoder: BERT (Devlin et al. 2019), with the share of masked tokens drawn anew for each row as in
 * MaskGIT (Chang et al. 2022), so that whole modalities are predicted too.
 */
import { ValueError } from '@loretta-ts/core';
import { type Packed, pack, sameOrder, type TokenRow, unpackRows } from '../sequence';
import { Vocabulary } from '../vocabulary';
import { type Objective, realBlocks, requireIds } from './objective';

/** Target of a position that carries no loss. */
const NO_TARGET = -100;

/** Options of `bidirectional`. */
export interface BidirectionalOptions {
  /** Share of a row's content tokens that is masked, or `cosine` (default): cos(π u / 2) of a uniform u for each row. */
  readonly ratio?: number | 'cosine';
}

/**
 * Replaces content tokens by the mask and predicts them where they stand, from both sides. Needs a model that is not
 * causal. One token of a row at least is masked; modality tokens never are.
 * @throws ValueError for a ratio outside (0, 1], and for a causal model
 */
export function bidirectional({ ratio = 'cosine' }: BidirectionalOptions = {}): Objective {
  if (ratio !== 'cosine' && !(ratio > 0 && ratio <= 1)) {
    throw new ValueError('bidirectional', `ratio is ${ratio}, not in (0, 1]`);
  }
  return async (batch, { vocab, random, model }) => {
    if (model.config.causal) {
      throw new ValueError('bidirectional', 'the model is causal: make it with causal: false');
    }
    requireIds('bidirectional', batch);
    const blocks = realBlocks(batch, vocab);
    const order = sameOrder(
      batch.b,
      blocks.map((_, i) => i),
    );
    const rows = unpackRows(vocab, pack(vocab, blocks, order, { lossOn: 'real' }));
    const masks = rows.map(({ counts }) => {
      const content = counts.flatMap((m, i) => (m >= 0 ? [i] : []));
      const share = ratio === 'cosine' ? Math.cos((Math.PI / 2) * random.uniform()) : ratio;
      const wanted = Math.max(1, Math.round(share * content.length));
      for (let i = 0; i < wanted; i++) {
        const j = i + random.int(content.length - i);
        [content[i], content[j]] = [content[j]!, content[i]!];
      }
      return content.slice(0, wanted);
    });
    return { packed: maskInPlace(rows, masks), generated: [] };
  };
}

/** Rows as input, the tokens at the given places masked there and targets there; others are no targets. */
export function maskInPlace(
  rows: readonly TokenRow[],
  masks: readonly (readonly number[])[],
): Packed {
  const b = rows.length;
  const t = rows.reduce((longest, { ids }) => Math.max(longest, ids.length), 0);
  const packed = {
    ...{ b, t, ids: new Int32Array(b * t), within: new Int32Array(b * t) },
    targets: new Int32Array(b * t).fill(NO_TARGET),
    weightsKey: new Int8Array(b * t).fill(-1),
  };
  rows.forEach(({ ids, within, counts }, row) => {
    const at = row * t;
    packed.ids.set(ids, at);
    packed.within.set(within, at);
    for (const i of masks[row]!) {
      packed.ids[at + i] = Vocabulary.MASK;
      packed.targets[at + i] = ids[i]!;
      packed.weightsKey[at + i] = counts[i]!;
    }
  });
  return packed;
}
