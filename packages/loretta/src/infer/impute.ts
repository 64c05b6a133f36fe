/** Filling in modalities that rows lack, from whatever they have. */
import { type Abortable, type Key, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import type { ModalityGraph } from '../graph';
import { type Block, pack, sameOrder } from '../sequence';
import type { Vocabulary } from '../vocabulary';
import type { ChainStep } from './chain';
import { type Classify, type Consensus, generateConsensus } from './consensus';
import type { SamplingOptions } from './generate-block';
import { planImputation } from './impute-plan';
import { checkBest } from './n-best';
import { takeRows } from './rows';

/** Blocks of one row by modality, `[length]` joint ids each; what is absent is missing. */
export type PartialRow = Readonly<Record<string, Int32Array>>;

/** Options of `impute`. */
export interface ImputeOptions extends Omit<SamplingOptions, 'guidance'>, Abortable {
  /** Which missing modalities to fill in; default all. */
  readonly targets?: readonly string[];
  /**
   * `direct` (default) generates each from all that is present at once; `chain` goes along the graph of observed pairs,
   * each hop from its neighbours that are there.
   */
  readonly route?: 'direct' | 'chain';
  /**
   * `single` (default) takes a sample; `best` the one of n that most favours its condition (pointwise mutual
   * information); `consensus` that of the highest likelihood, or of the class with the most votes.
   */
  readonly pick?: 'single' | 'best' | 'consensus';
  /** Candidates of `best` and `consensus`; default 8. */
  readonly n?: number;
  /** Classes for the vote of `consensus`; default none. */
  readonly vote?: Classify | null;
  /** Scale of classifier-free guidance of every condition; default 1, none. */
  readonly guidance?: number;
  /** Needed unless temperature is 0. */
  readonly key?: Key;
}

/** A modality that was filled in. */
export interface Imputed {
  /** `[length]` joint ids. */
  readonly ids: Int32Array;
  /** What it was generated from, present or filled in on the way. */
  readonly from: readonly string[];
  /** log p(x | condition) in nats, averaged over chains where there are several. */
  readonly conditional: number;
  /** log p(x) in nats. */
  readonly prior: number;
  /**
   * In [0, 1]: the share of votes where there was a vote; otherwise p(x | c) / (p(x | c) + p(x)), the posterior, at even
   * odds, that what was filled in goes with its condition rather than with nothing: ½ where the condition says nothing.
   */
  readonly confidence: number;
}

/** A row with nothing missing but what was not asked for. */
export interface ImputedRow {
  /** Present blocks as they were given, and those that were filled in. */
  readonly row: PartialRow;
  /** What was filled in. */
  readonly imputed: Readonly<Record<string, Imputed>>;
}

/** Rows that are generated at once. */
const CHUNK = 64;

/**
 * Fills in what rows lack. Rows that have the same modalities go through the model together, so a row's samples depend
 * on the rows beside it, and are the same for the same rows and key. With `single`, several targets of a chain are of one
 * chain; otherwise each is decided by itself.
 * @throws ValueError, before anything is generated, for a row that has nothing, a block that does not fit, a target that
 * no route leads to, or an option out of range; what the signal was aborted with
 */
export async function impute(
  model: Decoder,
  vocab: Vocabulary,
  graph: ModalityGraph,
  rows: readonly PartialRow[],
  options: ImputeOptions = {},
): Promise<readonly ImputedRow[]> {
  const { targets, route = 'direct', pick = 'single', n = 8, key } = options;
  checkBest('impute', n, 0);
  const { guidance = 1 } = options;
  if (!Number.isFinite(guidance)) fail(`guidance is ${guidance}, not a number`);
  for (const name of targets ?? []) vocab.modality(name);
  const groups = groupRows(vocab, rows).map((group) => ({
    ...group,
    plan: planImputation(graph, group.present, targets ?? graph.modalities, {
      ...options,
      route,
      guidance,
      together: pick === 'single',
    }),
  }));
  const out = rows.map(
    (row): { row: Record<string, Int32Array>; imputed: Record<string, Imputed> } => ({
      row: { ...row },
      imputed: {},
    }),
  );
  for (const [g, { present, places, plan }] of groups.entries()) {
    for (let at = 0; at < places.length; at += CHUNK) {
      const few = places.slice(at, at + CHUNK);
      const given = present.map((modality) =>
        blockOf(
          modality,
          few.map((i) => rows[i]!),
        ),
      );
      for (const [p, { steps, wanted }] of plan.entries()) {
        const drawn = key?.fold(g).fold(at).fold(p);
        const found = await decide(model, vocab, given, steps, { ...options, pick, n, drawn });
        for (const one of found.filter((x) => wanted.includes(x.modality))) {
          few.forEach((i, row) => {
            const imputed = imputedAt(one, row, few.length);
            out[i]!.imputed[one.modality] = imputed;
            out[i]!.row[one.modality] = imputed.ids;
          });
        }
      }
    }
  }
  return out;
}

interface Decided {
  readonly modality: string;
  readonly from: readonly string[];
  readonly ids: Int32Array;
  readonly conditional: Float64Array;
  readonly prior: Float64Array;
  readonly votes: Float64Array | null;
}

/** The last target of the steps; all of them where a single chain is taken. */
async function decide(
  model: Decoder,
  vocab: Vocabulary,
  given: readonly Block[],
  steps: readonly ChainStep[],
  options: ImputeOptions & { readonly n: number; readonly drawn: Key | undefined },
): Promise<readonly Decided[]> {
  const { pick, n, drawn, vote = null, signal } = options;
  const keyed = drawn === undefined ? {} : { key: drawn };
  if (pick !== 'single') {
    const best = pick === 'best';
    const found = await generateConsensus(model, vocab, given, steps, {
      chains: n,
      lambda: best ? 1 : 0,
      vote: best ? null : vote,
      signal,
      ...keyed,
    });
    return [{ ...found, from: steps.at(-1)!.from }];
  }
  const found: Decided[] = [];
  const known = [...given];
  for (const [i, step] of steps.entries()) {
    const one: Consensus = await generateConsensus(model, vocab, known, [step], {
      chains: 1,
      signal,
      ...(drawn === undefined ? {} : { key: drawn.fold(i) }),
    });
    known.push({ modality: one.modality, ids: one.ids, generated: true });
    found.push({ ...one, from: step.from });
  }
  return found;
}

function imputedAt(found: Decided, row: number, rows: number): Imputed {
  const [conditional, prior] = [found.conditional[row]!, found.prior[row]!];
  return {
    ids: takeRows(found.ids, rows, [row]),
    from: found.from,
    conditional,
    prior,
    confidence: found.votes?.[row] ?? 1 / (1 + Math.exp(prior - conditional)),
  };
}

/** Rows of the same present modalities, checked. */
function groupRows(
  vocab: Vocabulary,
  rows: readonly PartialRow[],
): { readonly present: readonly string[]; readonly places: readonly number[] }[] {
  const groups = new Map<string, { present: readonly string[]; places: number[] }>();
  rows.forEach((row, i) => {
    const names = Object.keys(row);
    if (names.length === 0) fail(`row ${i} has nothing to go by: give it one modality at least`);
    for (const name of names) {
      const { length } = vocab.modality(name);
      if (row[name]!.length !== length) {
        fail(`row ${i} has ${row[name]!.length} ids of ${name}, not ${length}: pad the block`);
      }
      pack(vocab, [blockOf(name, [row])], sameOrder(1, [0]), { lossOn: 'all' }); // checks the ids
    }
    const present = vocab.modalities.map((m) => m.name).filter((name) => names.includes(name));
    const signature = JSON.stringify(present);
    const group = groups.get(signature) ?? { present, places: [] };
    groups.set(signature, group);
    group.places.push(i);
  });
  return [...groups.values()];
}

function blockOf(modality: string, rows: readonly PartialRow[]): Block {
  return {
    modality,
    ids: Int32Array.from(rows.flatMap((row) => [...row[modality]!])),
    generated: false,
  };
}

function fail(message: string): never {
  throw new ValueError('impute', message);
}
