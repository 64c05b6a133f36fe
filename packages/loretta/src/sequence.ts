/** Blocks of several modalities as one token sequence per row, shifted by one: input is tokens[:-1], target tokens[1:]. */
import { ValueError } from '@loretta-ts/core';
import {
  checkLatents,
  copyLatents,
  latentDim,
  latentSize,
  latentsOf,
  putLatent,
} from './sequence-latents';
import { Vocabulary } from './vocabulary';

/** Target of a position that carries no loss. */
const NO_TARGET = -100;

/** One modality of every row. */
export interface Block {
  /** Which modality it is. */
  readonly modality: string;
  /** `[b, length]` joint ids; a shorter row of a variable modality has its end token, then PAD. */
  readonly ids: Int32Array;
  /** `[b, length, z]`: the vectors of a latent modality, whose ids are all its placeholder. */
  readonly latents?: Float32Array;
  /** Made by the model: a pseudo-modality. */
  readonly generated: boolean;
}

/** Sequences as the model wants them; rows may end in PAD. */
export interface Packed {
  /** Number of rows. */
  readonly b: number;
  /** Tokens of a row. */
  readonly t: number;
  /** `[b, t]` input ids. */
  readonly ids: Int32Array;
  /** `[b, t]` rows of the within-block table. */
  readonly within: Int32Array;
  /** `[b, t]` next ids, −100 where there is no loss. */
  readonly targets: Int32Array;
  /** `[b, t]` index of the modality that the target counts for, −1 where there is no loss. */
  readonly weightsKey: Int8Array;
  /** `[b, t, z]` vectors of the input's latent tokens, zeros elsewhere. Absent without latent modalities. */
  readonly latents?: Float32Array;
  /** `[b, t, z]` vectors of the next tokens; present with `latents`. */
  readonly latentTargets?: Float32Array;
  /** `[b]` last token of each row, which is no input. Absent after `packSegments`. */
  readonly last?: Int32Array;
  /** `[b, t]` number of the sequence inside the row: tokens see only their own. Absent: one sequence a row. */
  readonly segments?: Int32Array;
  /** `[b, t]` absolute positions, from 0 in every segment; present with `segments`. */
  readonly positions?: Int32Array;
}

/** A sequence before the shift: three parallel columns. */
export interface TokenRow {
  readonly ids: number[];
  readonly within: number[];
  /** Modality that a token counts for when it is a target, −1 for none. */
  readonly counts: number[];
  /** Vector of each token, null for those without; absent where no token has one. */
  readonly latents?: (Float32Array | null)[];
}

/** Which targets carry loss: those of real blocks, or of generated ones too. */
export type LossOn = 'real' | 'all';

/**
 * Concatenates blocks, each behind its modality token. Padding inside a row is dropped, so rows with shorter variable
 * blocks end in PAD. Modality tokens and PAD are never targets.
 * @param order for each row, the blocks it consists of, by index, first to last
 * @throws ValueError when blocks and rows do not fit, or an id is of another modality
 */
export function pack(
  vocab: Vocabulary,
  blocks: readonly Block[],
  order: readonly (readonly number[])[],
  { lossOn }: { readonly lossOn: LossOn },
): Packed {
  const b = order.length;
  if (b === 0) fail('there are no rows');
  const sources = blocks.map((block) => blockSource(vocab, block, b, lossOn));
  const latent = blocks.some((block) => block.latents !== undefined);
  return packRows(
    order.map((places, row) => {
      const made: TokenRow = {
        ids: [],
        within: [],
        counts: [],
        ...(latent ? { latents: [] } : {}),
      };
      if (places.length === 0) fail(`row ${row} has no block`);
      for (const place of places) {
        const source =
          sources[place] ?? fail(`row ${row} wants block ${place} of ${blocks.length}`);
        appendBlock(made, source, row);
      }
      return made;
    }),
  );
}

/** One order for all b rows. */
export function sameOrder(b: number, order: readonly number[]): (readonly number[])[] {
  return Array.from({ length: b }, () => order);
}

/** Shifts rows by one and pads them to the longest. @throws ValueError for a row of less than two tokens */
export function packRows(rows: readonly TokenRow[]): Packed {
  const b = rows.length;
  const t = rows.reduce((longest, row) => Math.max(longest, row.ids.length), 0) - 1;
  const dim = latentDim(rows);
  const packed = empty(b, t, dim);
  const last = new Int32Array(b);
  rows.forEach(({ ids, within, counts, latents }, row) => {
    if (ids.length < 2) fail(`row ${row} has ${ids.length} tokens: two at least`);
    const at = row * t;
    for (let j = 0; j + 1 < ids.length; j++) {
      packed.ids[at + j] = ids[j]!;
      packed.within[at + j] = within[j]!;
      putLatent(packed.latents, at + j, latents?.[j]);
      putLatent(packed.latentTargets, at + j, latents?.[j + 1]);
      if (counts[j + 1]! < 0) continue;
      packed.targets[at + j] = ids[j + 1]!;
      packed.weightsKey[at + j] = counts[j + 1]!;
    }
    last[row] = ids[ids.length - 1]!;
  });
  return { ...packed, last };
}

/** The rows that `pack` shifted. @throws ValueError after `packSegments` */
export function unpackRows(vocab: Vocabulary, packed: Packed): TokenRow[] {
  const { b, t, ids, within, weightsKey, last } = packed;
  if (last === undefined)
    return fail('rows of several segments cannot be taken apart: do it before packSegments');
  return Array.from({ length: b }, (_, row) => {
    const n = rowLength(packed, row);
    const at = row * t;
    const end = last[row]!;
    const place = vocab.indexOf(end) < 0 ? 0 : within[at + n - 1]! + 1; // a block never ends a row before its first token
    return {
      ids: [...ids.subarray(at, at + n), end],
      within: [...within.subarray(at, at + n), place],
      counts: [-1, ...weightsKey.subarray(at, at + n)],
      ...latentsOf(vocab, packed, at, n, end),
    };
  });
}

/** Rows of several packs under each other, padded to the longest. @throws ValueError for an empty list */
export function concatPacked(list: readonly Packed[]): Packed {
  const [first] = list;
  if (first === undefined) return fail('there is nothing to concatenate');
  if (list.length === 1) return first;
  const b = list.reduce((n, p) => n + p.b, 0);
  const t = list.reduce((n, p) => Math.max(n, p.t), 0);
  const out = empty(b, t, latentSize(list));
  const segmented = list.some((p) => p.segments !== undefined);
  const segments = new Int32Array(segmented ? b * t : 0);
  const positions = new Int32Array(segmented ? b * t : 0);
  const last = new Int32Array(b);
  let row = 0;
  for (const p of list) {
    for (let i = 0; i < p.b; i++, row++) {
      const [from, to, at] = [i * p.t, (i + 1) * p.t, row * t];
      out.ids.set(p.ids.subarray(from, to), at);
      out.within.set(p.within.subarray(from, to), at);
      out.targets.set(p.targets.subarray(from, to), at);
      out.weightsKey.set(p.weightsKey.subarray(from, to), at);
      copyLatents(out, at, p, from, to);
      last[row] = p.last?.[i] ?? Vocabulary.PAD;
      if (!segmented) continue;
      for (let j = 0; j < t; j++) positions[at + j] = j;
      if (p.segments === undefined) continue;
      segments.fill(-1, at, at + t);
      segments.set(p.segments.subarray(from, to), at);
      positions.set(p.positions!.subarray(from, to), at);
    }
  }
  return segmented ? { ...out, segments, positions } : { ...out, last };
}

/**
 * Puts short rows behind each other, first fit, into rows of `t` tokens. Segments keep them apart and positions start
 * anew, so that the loss is that of the separate rows.
 * @throws ValueError when a row is longer than t, or has segments already
 */
export function packSegments(packed: Packed, t: number): Packed {
  if (packed.segments !== undefined) fail('the rows have segments already');
  const bins: { used: number; rows: number[] }[] = [];
  for (let row = 0; row < packed.b; row++) {
    const n = rowLength(packed, row);
    if (n > t) fail(`row ${row} has ${n} tokens and does not fit ${t}`);
    const open = bins.find((bin) => bin.used + n <= t);
    if (open === undefined) bins.push({ used: n, rows: [row] });
    else {
      open.used += n;
      open.rows.push(row);
    }
  }
  const out = empty(bins.length, t, latentSize([packed]));
  const segments = new Int32Array(bins.length * t).fill(-1); // padding sees padding
  const positions = new Int32Array(bins.length * t);
  bins.forEach(({ rows }, i) => {
    let at = i * t;
    rows.forEach((row, segment) => {
      const n = rowLength(packed, row);
      const [from, to] = [row * packed.t, row * packed.t + n];
      out.ids.set(packed.ids.subarray(from, to), at);
      out.within.set(packed.within.subarray(from, to), at);
      out.targets.set(packed.targets.subarray(from, to), at);
      out.weightsKey.set(packed.weightsKey.subarray(from, to), at);
      copyLatents(out, at, packed, from, to);
      for (let j = 0; j < n; j++) positions[at + j] = j;
      segments.fill(segment, at, at + n);
      at += n;
    });
  });
  return { ...out, segments, positions };
}

/** A block's rows and what its tokens count for. */
interface BlockSource {
  readonly ids: Int32Array;
  readonly width: number;
  readonly start: number;
  readonly row: number;
  readonly counts: number;
  /** `[b, width, z]`; null for ids. */
  readonly latents: Float32Array | null;
}

function blockSource(
  vocab: Vocabulary,
  { modality, ids, latents, generated }: Block,
  b: number,
  lossOn: LossOn,
): BlockSource {
  const width = ids.length / b;
  const { length, variable } = vocab.modality(modality);
  if (!Number.isInteger(width) || width < 1 || width > length || (!variable && width !== length)) {
    fail(
      `${ids.length} ids of ${modality} are not ${b} rows of ${variable ? 'at most ' : ''}${length}: pad the block, or cut it`,
    );
  }
  checkIds(vocab, modality, ids, width);
  checkLatents(vocab, modality, latents, ids.length);
  return {
    ids,
    width,
    start: vocab.start(modality),
    row: vocab.within(modality, 0),
    counts: generated && lossOn === 'real' ? -1 : vocab.index(modality),
    latents: latents ?? null,
  };
}

/** Content ids only; in a variable modality one end token, and PAD behind it. */
function checkIds(vocab: Vocabulary, modality: string, ids: Int32Array, width: number): void {
  const [from, to] = vocab.content(modality);
  const { variable } = vocab.modality(modality);
  let ended = false;
  for (let i = 0; i < ids.length; i++) {
    if (i % width === 0) ended = false;
    const id = ids[i]!;
    if (ended ? id === Vocabulary.PAD : id >= from && id < to) continue;
    if (variable && !ended && id === to) ended = true;
    else {
      fail(
        `id ${id} at row ${Math.floor(i / width)}, place ${i % width} does not belong there: ${modality} has [${from}, ${to})` +
          (variable ? `, then end token ${to}, then PAD` : ''),
      );
    }
  }
}

function appendBlock(
  to: TokenRow,
  { ids, width, start, row: place, counts, latents }: BlockSource,
  row: number,
): void {
  const dim = (latents?.length ?? 0) / ids.length;
  to.latents?.push(null);
  to.ids.push(start);
  to.within.push(place);
  to.counts.push(-1);
  for (let j = 0; j < width; j++) {
    const id = ids[row * width + j]!;
    if (id === Vocabulary.PAD) return;
    to.ids.push(id);
    to.within.push(place + 1 + j);
    to.counts.push(counts);
    const at = row * width + j;
    to.latents?.push(latents?.subarray(at * dim, (at + 1) * dim) ?? null);
  }
}

/** Input tokens of a row without its padding. */
function rowLength({ ids, t }: Packed, row: number): number {
  let n = t;
  while (n > 0 && ids[row * t + n - 1] === Vocabulary.PAD) n--;
  return n;
}

function empty(b: number, t: number, dim: number): Packed {
  return {
    b,
    t,
    ids: new Int32Array(b * t), // PAD
    within: new Int32Array(b * t),
    targets: new Int32Array(b * t).fill(NO_TARGET),
    weightsKey: new Int8Array(b * t).fill(-1),
    ...(dim === 0
      ? {}
      : {
          latents: new Float32Array(b * t * dim),
          latentTargets: new Float32Array(b * t * dim),
        }),
  };
}

function fail(message: string): never {
  throw new ValueError('pack', message);
}
