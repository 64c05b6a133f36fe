/**
 * Transitive modelling (LORETTA §1.4, §1.5): the model generates a modality that the sample lacks and learns to predict
 * a real one from it. Samples that lack nothing are trained in every order.
 */
import { ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import { pseudoBlock } from '../infer/generate-latents';
import type { Hop } from '../graph';
import { type Block, type LossOn, pack, sameOrder } from '../sequence';
import { commutative } from './commutative';
import {
  type Batch,
  type GeneratedBlock,
  type Objective,
  type ObjectiveContext,
  type ObjectiveResult,
  randomOrders,
  realBlocks,
} from './objective';

/** Options of `transitive`. */
export interface TransitiveOptions {
  /** Targets in real blocks only (default), or in generated ones too. */
  readonly lossOn?: LossOn;
  /** Of generated blocks; default 0.9. */
  readonly temperature?: number;
  /** Classifier-free guidance of generated blocks; null (default) is none. */
  readonly guidance?: number | null;
  /** Share of batches that are completed to all modalities, in every order; default 0. */
  readonly allProbability?: number;
  /** Generates instead of the model in training. */
  readonly teacher?: Decoder;
  /** Control that must fail: the condition is that of another row. */
  readonly shuffled?: boolean;
}

/**
 * The case table of LORETTA §1.5, derived from the graph of observed pairs. On A–B–C, `~` generated:
 * {A, B} gives [C~, A]; {B, C} gives [A~, C]; {A} gives [C~, A] through B~; {C} gives [A~, C] through B~; {B} gives A~
 * and C~ in both orders, with B between them where only real blocks carry loss; {A, C} and {A, B, C} are commutative.
 * @throws ValueError for an option out of range
 */
export function transitive(options: TransitiveOptions = {}): Objective {
  const { allProbability = 0, shuffled = false } = options;
  if (!(allProbability >= 0 && allProbability <= 1)) {
    throw new ValueError('transitive', `allProbability is ${allProbability}, not in [0, 1]`);
  }
  const inEveryOrder = commutative();
  return async (batch, context) => {
    const { graph, random } = context;
    const present = Object.keys(batch.blocks);
    const completion = graph.completion(present);
    const all = allProbability > 0 && random.uniform() < allProbability;
    if (completion.length === 0) return inEveryOrder(batch, context);
    if (shuffled && batch.b < 2) {
      throw new ValueError(
        'transitive',
        'shuffled needs another row to take from: give a batch of 2 at least',
      );
    }
    if (all) return inAllModalities(batch, context, options, completion);
    const routes = graph.transitiveRoutes(present);
    if (routes.length > 0) {
      const { from, generate, condition, target } = routes[random.int(routes.length)]!;
      const hops = generate.map((modality, i) => ({
        from: i === 0 ? from : generate[i - 1]!,
        modality,
      }));
      const { blocks, generated } = await complete(batch, context, options, hops, [condition]);
      const pair = [blocks.get(condition)!, blocks.get(target)!];
      const packed = pack(context.vocab, pair, sameOrder(batch.b, [0, 1]), {
        lossOn: options.lossOn ?? 'real',
      });
      return { packed, generated };
    }
    const pairs = graph.absentPairs(present);
    if (present.length > 1 || pairs.length === 0) return inEveryOrder(batch, context);
    return fromLinkAlone(batch, context, options, pairs[random.int(pairs.length)]!, completion);
  };
}

/** All modalities, real where present, in every order. */
async function inAllModalities(
  batch: Batch,
  context: ObjectiveContext,
  options: TransitiveOptions,
  completion: readonly Hop[],
): Promise<ObjectiveResult> {
  const ends = completion.map((hop) => hop.modality);
  const { blocks, generated } = await complete(batch, context, options, completion, ends);
  return { packed: packShuffled(batch, context, options, [...blocks.values()]), generated };
}

/** Both ends generated from the link: pure self-training, so with loss on real blocks the link stays in. */
async function fromLinkAlone(
  batch: Batch,
  context: ObjectiveContext,
  options: TransitiveOptions,
  pair: readonly [string, string],
  completion: readonly Hop[],
): Promise<ObjectiveResult> {
  const { blocks, generated } = await complete(batch, context, options, completion, pair);
  const real = options.lossOn === 'all' ? [] : Object.keys(batch.blocks);
  const names = [...real, ...pair];
  return {
    packed: packShuffled(
      batch,
      context,
      options,
      names.map((name) => blocks.get(name)!),
    ),
    generated,
  };
}

function packShuffled(
  batch: Batch,
  { vocab, random }: ObjectiveContext,
  { lossOn = 'real' }: TransitiveOptions,
  blocks: readonly Block[],
): ObjectiveResult['packed'] {
  return pack(vocab, blocks, randomOrders(batch.b, blocks.length, random), { lossOn });
}

interface Completed {
  /** Real and generated blocks by modality. */
  readonly blocks: ReadonlyMap<string, Block>;
  readonly generated: GeneratedBlock[];
}

/**
 * Generates hop by hop. Ids and vectors come back to the host as plain numbers: nothing links them to the weights.
 * @param ends blocks that are trained on, which the control takes from other rows
 */
async function complete(
  batch: Batch,
  { model, vocab, random, key, signal }: ObjectiveContext,
  { temperature = 0.9, guidance = null, teacher = model, shuffled = false }: TransitiveOptions,
  hops: readonly Hop[],
  ends: readonly string[],
): Promise<Completed> {
  const blocks = new Map(realBlocks(batch, vocab).map((block) => [block.modality, block]));
  for (const [i, { from, modality }] of hops.entries()) {
    const block = await pseudoBlock(teacher, vocab, [blocks.get(from)!], modality, {
      key: key.fold(i),
      temperature,
      guidance,
      signal,
    });
    blocks.set(modality, block);
  }
  if (shuffled) {
    const by = 1 + random.int(batch.b - 1);
    for (const name of ends) {
      const block = blocks.get(name)!;
      blocks.set(name, {
        ...block,
        ids: rotateRows(block.ids, batch.b, by),
        ...(block.latents === undefined ? {} : { latents: rotateRows(block.latents, batch.b, by) }),
      });
    }
  }
  return {
    blocks,
    generated: hops.map(({ from, modality }) => {
      const { ids, latents } = blocks.get(modality)!;
      return { modality, from, ids, ...(latents === undefined ? {} : { latents }) };
    }),
  };
}

/** Row i becomes row i + by, around the end. */
function rotateRows<T extends Int32Array | Float32Array>(values: T, b: number, by: number): T {
  const cut = (values.length / b) * by;
  const out = values.slice() as T;
  out.set(values.subarray(cut));
  out.set(values.subarray(0, cut), values.length - cut);
  return out;
}
