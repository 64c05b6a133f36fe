/** The joint vocabulary: disjoint ids by offsets, `[reserved 0..7 | start, content…, end | start, content…, end | …]`. */
import { ValueError } from '@loretta-ts/core';
import type { IdRange } from '@loretta-ts/nn';
import type { Modality } from './modality';

/** Ids below the first modality's. */
const RESERVED = 8;
/** `weightsKey` of a sequence is an Int8Array. */
const MOST_MODALITIES = 127;

/** Ids of all modalities, and rows of the within-block position table (LORETTA §1.2, §1.8). */
export class Vocabulary {
  /** Padding: never a target. */
  static readonly PAD = 0;
  /** Reserved for data that mark a beginning; sequences here start with a modality token. */
  static readonly BOS = 1;
  /** Stands for a masked span, and opens it where it is appended (CM3). */
  static readonly MASK = 2;
  /** Ends a span that was appended (CM3). */
  static readonly EOSS = 3;

  /** Number of ids. */
  readonly size: number;
  /** Rows of the within-block table. Row 0 is for tokens outside every block. */
  readonly withinSize: number;
  /** Numbers of a vector of the modalities that have vectors; null where none has. */
  readonly latentDim: number | null;
  /** The modalities, in the order of their ids. */
  readonly modalities: readonly Modality[];
  readonly #index: ReadonlyMap<string, number>;
  /** Id of each modality token. */
  readonly #starts: readonly number[];
  /** Row of each modality token in the within-block table. */
  readonly #rows: readonly number[];
  /** Modality of each id, −1 for reserved ones. */
  readonly #owner: Int8Array;

  /** @throws ValueError for no modality, a name that occurs twice, or sizes that are not positive integers */
  constructor(modalities: readonly Modality[]) {
    if (modalities.length === 0 || modalities.length > MOST_MODALITIES) {
      fail(`${modalities.length} modalities: give 1 to ${MOST_MODALITIES}`);
    }
    const index = new Map<string, number>();
    const starts: number[] = [];
    const rows: number[] = [];
    let id = RESERVED;
    let row = 1;
    modalities.forEach(({ name, vocabSize, length }, m) => {
      if (index.has(name)) fail(`two modalities ${name}: rename one`);
      for (const [what, n] of [['vocabSize', vocabSize] as const, ['length', length] as const]) {
        if (!Number.isSafeInteger(n) || n < 1)
          fail(`${what} of ${name} is ${n}, not a positive integer`);
      }
      index.set(name, m);
      starts.push(id);
      rows.push(row);
      id += vocabSize + 2;
      row += length + 1;
    });
    this.latentDim = latentDim(modalities);
    const owner = new Int8Array(id).fill(-1);
    starts.forEach((start, m) => {
      owner.fill(m, start, starts[m + 1] ?? id);
    });
    this.size = id;
    this.withinSize = row;
    this.modalities = modalities.map((m) => ({ ...m }));
    this.#index = index;
    this.#starts = starts;
    this.#rows = rows;
    this.#owner = owner;
  }

  /** Place of a modality in `modalities`. @throws ValueError for an unknown name */
  index(name: string): number {
    const m = this.#index.get(name);
    return m ?? fail(`no modality ${name}: there are ${[...this.#index.keys()].join(', ')}`);
  }

  /** The modality of this name. @throws ValueError for an unknown name */
  modality(name: string): Modality {
    return this.modalities[this.index(name)]!;
  }

  /** Modality token: opens a block. */
  start(name: string): number {
    return this.#starts[this.index(name)]!;
  }

  /** End token: closes a block of a variable modality that is shorter than its longest. */
  end(name: string): number {
    return this.start(name) + 1 + this.modality(name).vocabSize;
  }

  /** Whether its content is vectors. @throws ValueError for an unknown name */
  isLatent(name: string): boolean {
    return this.modality(name).latent !== undefined;
  }

  /** Ids of the content tokens, from the first to before the second. */
  content(name: string): IdRange {
    return [this.start(name) + 1, this.end(name)];
  }

  /** Ids that may stand behind the modality token: content, and the end token of a variable modality. */
  allowed(name: string): readonly IdRange[] {
    const [from, to] = this.content(name);
    return [[from, this.modality(name).variable ? to + 1 : to]];
  }

  /** Local to joint ids. @throws ValueError for an id outside the modality */
  toJoint(name: string, local: Int32Array): Int32Array {
    const [from, to] = this.content(name);
    return local.map((id) => {
      if (id < 0 || id >= to - from) fail(`local id ${id} is not in [0, ${to - from}) of ${name}`);
      return id + from;
    });
  }

  /**
   * Joint to local ids. The end token of a variable modality and the padding behind it become 0, as in a token set.
   * @throws ValueError for an id of another modality
   */
  toLocal(name: string, joint: Int32Array): Int32Array {
    const [from, to] = this.content(name);
    const { variable } = this.modality(name);
    return joint.map((id) => {
      if (id >= from && id < to) return id - from;
      if (variable && (id === to || id === Vocabulary.PAD)) return 0;
      return fail(`id ${id} is not in [${from}, ${to}) of ${name}`);
    });
  }

  /** Name of the modality that an id belongs to, its modality and end token included; null for reserved ids. */
  modalityOf(id: number): string | null {
    const m = this.indexOf(id);
    return m < 0 ? null : this.modalities[m]!.name;
  }

  /** Place of the modality that an id belongs to; −1 for reserved ids. @throws ValueError outside the vocabulary */
  indexOf(id: number): number {
    return this.#owner[id] ?? fail(`id ${id} is not in the vocabulary of ${this.size}`);
  }

  /** Row of the within-block table: 0 is the modality token, 1 the first content token. @throws ValueError outside the block */
  within(name: string, i: number): number {
    const m = this.index(name);
    const { length } = this.modalities[m]!;
    if (!Number.isInteger(i) || i < 0 || i > length)
      fail(`${name} has no place ${i}: 0 to ${length}`);
    return this.#rows[m]! + i;
  }
}

/** @throws ValueError for vectors of several sizes, of variable length, or beside more than the placeholder */
function latentDim(modalities: readonly Modality[]): number | null {
  let found: number | null = null;
  for (const { name, vocabSize, variable, latent } of modalities) {
    if (latent === undefined) continue;
    const { dim } = latent;
    if (!Number.isSafeInteger(dim) || dim < 1)
      fail(`latent.dim of ${name} is ${dim}, not a positive integer`);
    if (vocabSize !== 1 || variable)
      fail(`${name} has vectors: its vocabSize is 1, the placeholder, and its length is fixed`);
    if (found !== null && dim !== found)
      fail(`vectors of ${found} and, in ${name}, ${dim} numbers: one size for all modalities`);
    found = dim;
  }
  return found;
}

function fail(message: string): never {
  throw new ValueError('Vocabulary', message);
}
