/** Generating one modality after others: constrained to its ids, cached, without gradients. */
import { type Key, noGrad, type Tensor, tensor, tidy, ValueError } from '@loretta-ts/core';
import { type Decoder, type GenerateOptions, generateFixed } from '@loretta-ts/nn';
import { type Block, type Packed, pack, sameOrder } from './sequence';
import { Vocabulary } from './vocabulary';

/** Options of `generateBlock`. */
export interface GenerateBlockOptions {
  /** Needed unless temperature is 0. */
  readonly key?: Key;
  /** 0 is greedy; default 1. */
  readonly temperature?: number;
  /**
   * Classifier-free guidance s: logits = u + s (c − u), where u sees the modality token of the target only
   * (LORETTA §1.7). null (default) and 1 are none.
   */
  readonly guidance?: number | null;
  /** Keeps the k most likely tokens; default all. */
  readonly topK?: number;
  /** Keeps the most likely tokens that hold this probability together; default all. */
  readonly topP?: number;
  /** Keeps tokens at least so many times as likely as the best; default all. */
  readonly minP?: number;
  /** Rows, where there is no condition to tell. */
  readonly rows?: number;
}

/**
 * A block of `target` for each row of the condition, `[b, length]` joint ids, never one of another modality. A variable
 * modality ends with its end token, PAD after it, and has one content token at least. Read back once, at the end.
 * @param condition blocks in front, in this order; none generates without a condition
 * @throws ValueError when the blocks do not fit each other or an option does not
 */
export async function generateBlock(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Block[],
  target: string,
  options: GenerateBlockOptions = {},
): Promise<Int32Array> {
  const { length, variable } = vocab.modality(target);
  const b = rowsOf(vocab, condition, options.rows);
  const prompt = promptOf(vocab, condition, target, b);
  const { guidance = null, temperature = 1, key, topK, topP, minP } = options;
  const positioned = model.config.positions.includes('within-block');
  const [start, first] = [vocab.start(target), vocab.within(target, 0)];
  const one = (value: number): Tensor => tensor(Int32Array.of(value), { shape: [1, 1] });
  const made = tidy(() =>
    noGrad(() => {
      const shape = [b, prompt.t];
      const settings: GenerateOptions = {
        maxNewTokens: length,
        temperature,
        allowed: variable
          ? (step) => (step === 0 ? [vocab.content(target)] : vocab.allowed(target))
          : vocab.allowed(target),
        ...(key === undefined ? {} : { key }),
        ...(topK === undefined ? {} : { topK }),
        ...(topP === undefined ? {} : { topP }),
        ...(minP === undefined ? {} : { minP }),
        ...(prompt.seen === null
          ? {}
          : { attentionMask: tensor(prompt.seen, { shape, dtype: 'bool' }) }),
        ...(positioned
          ? {
              within: {
                prompt: tensor(prompt.within, { shape }),
                next: (step: number) => first + 1 + step,
              },
            }
          : {}),
        ...(guidance === null || guidance === 1 || condition.length === 0
          ? {}
          : {
              guidance: {
                prompt: one(start),
                scale: guidance,
                ...(positioned ? { within: one(first) } : {}),
              },
            }),
      };
      return generateFixed(model, tensor(prompt.ids, { shape }), settings).keep();
    }),
  );
  try {
    const block = Int32Array.from(await made.data());
    if (variable) endRows(block, length, vocab.end(target));
    return block;
  } finally {
    made.dispose();
  }
}

interface Prompt {
  readonly t: number;
  /** `[b, t]`, shorter rows padded on the left. */
  readonly ids: Int32Array;
  readonly within: Int32Array;
  /** `[b, t]` 1 at tokens, 0 at padding; null where all rows are full. */
  readonly seen: Uint8Array | null;
}

/** The conditions, then the modality token of the target. */
function promptOf(
  vocab: Vocabulary,
  condition: readonly Block[],
  target: string,
  b: number,
): Prompt {
  const [start, first] = [vocab.start(target), vocab.within(target, 0)];
  if (condition.length === 0) {
    return {
      t: 1,
      ids: new Int32Array(b).fill(start),
      within: new Int32Array(b).fill(first),
      seen: null,
    };
  }
  const packed = pack(
    vocab,
    condition,
    sameOrder(
      b,
      condition.map((_, i) => i),
    ),
    { lossOn: 'all' },
  );
  // inputs of the condition, its last token, the modality token: the row moves to the right by its padding
  const t = packed.t + 2;
  const ids = new Int32Array(b * t);
  const within = new Int32Array(b * t);
  const seen = new Uint8Array(b * t);
  let full = true;
  for (let row = 0; row < b; row++) {
    const n = inputLength(packed, row);
    const [from, at] = [row * packed.t, (row + 1) * t - n - 2];
    ids.set(packed.ids.subarray(from, from + n), at);
    ids[at + n] = packed.last![row]!;
    ids[at + n + 1] = start;
    within.set(packed.within.subarray(from, from + n), at);
    within[at + n] = packed.within[from + n - 1]! + 1;
    within[at + n + 1] = first;
    seen.fill(1, at, at + n + 2);
    if (n < packed.t) full = false;
  }
  return { t, ids, within, seen: full ? null : seen };
}

function inputLength({ ids, t }: Packed, row: number): number {
  const padding = ids.subarray(row * t, (row + 1) * t).indexOf(Vocabulary.PAD);
  return padding < 0 ? t : padding;
}

function rowsOf(vocab: Vocabulary, condition: readonly Block[], rows: number | undefined): number {
  const [block] = condition;
  if (block !== undefined) {
    // a block is given at full width: its rows follow
    const b = block.ids.length / vocab.modality(block.modality).length;
    if (Number.isInteger(b) && b > 0 && (rows === undefined || rows === b)) return b;
    throw new ValueError(
      'generateBlock',
      `${block.ids.length} ids of ${block.modality} are not ${rows ?? 'whole'} rows of ${vocab.modality(block.modality).length}`,
    );
  }
  if (rows !== undefined && Number.isInteger(rows) && rows > 0) return rows;
  throw new ValueError(
    'generateBlock',
    `without a condition, rows must be a positive integer, not ${rows}`,
  );
}

/** Everything behind the end token becomes PAD. */
function endRows(block: Int32Array, length: number, end: number): void {
  for (let at = 0; at < block.length; at += length) {
    const stop = block.subarray(at, at + length).indexOf(end);
    if (stop >= 0) block.fill(Vocabulary.PAD, at + stop + 1, at + length);
  }
}
