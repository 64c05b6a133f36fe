/** The vectors of packed sequences, beside their ids. */
import { ValueError } from '@loretta-ts/core';
import type { Packed, TokenRow } from './sequence';
import type { Vocabulary } from './vocabulary';

/** A finite vector for each token of a latent modality, and for no other. */
export function checkLatents(
  vocab: Vocabulary,
  modality: string,
  latents: Float32Array | undefined,
  tokens: number,
): void {
  const { latent } = vocab.modality(modality);
  if (latent === undefined) {
    if (latents !== undefined) fail(`${modality} has ids alone: leave latents out`);
    return;
  }
  const wanted = tokens * latent.dim;
  if (latents?.length !== wanted) {
    fail(
      `${latents?.length ?? 'no'} numbers of ${modality} are not ${tokens} vectors of ${latent.dim}: give latents beside ids`,
    );
  }
  const bad = latents.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) fail(`latents of ${modality} have ${latents[bad]} at ${bad}: they must be finite`);
}

/** Numbers of a vector of the rows; 0 where there is none. */
export function latentDim(rows: readonly TokenRow[]): number {
  for (const { latents } of rows) {
    const vector = latents?.find((x) => x !== null);
    if (vector !== undefined) return vector!.length;
  }
  return 0;
}

/** The same of packs. */
export function latentSize(list: readonly Packed[]): number {
  const some = list.find((p) => p.latents !== undefined);
  return some === undefined ? 0 : some.latents!.length / some.ids.length;
}

/** Writes a vector to place `at` of `[b · t, z]`. */
export function putLatent(
  to: Float32Array | undefined,
  at: number,
  vector: Float32Array | null | undefined,
): void {
  if (to !== undefined && vector) to.set(vector, at * vector.length);
}

/** Copies the vectors of tokens `start` to before `end` of a pack to place `at` of another. */
export function copyLatents(
  out: Packed,
  at: number,
  from: Packed,
  start: number,
  end: number,
): void {
  if (from.latents === undefined) return;
  const dim = latentSize([from]);
  out.latents!.set(from.latents.subarray(start * dim, end * dim), at * dim);
  out.latentTargets!.set(from.latentTargets!.subarray(start * dim, end * dim), at * dim);
}

/** The column of vectors of n input tokens from `at` on, and of the last token. */
export function latentsOf(
  vocab: Vocabulary,
  packed: Packed,
  at: number,
  n: number,
  last: number,
): Pick<TokenRow, 'latents'> {
  const { ids, latents, latentTargets } = packed;
  if (latents === undefined) return {};
  const dim = latentSize([packed]);
  const vector = (of: Float32Array, i: number, id: number): Float32Array | null => {
    const name = vocab.modalityOf(id);
    const content = name !== null && vocab.isLatent(name) && id !== vocab.start(name);
    return content ? of.subarray(i * dim, (i + 1) * dim) : null;
  };
  const own = Array.from({ length: n }, (_, j) => vector(latents, at + j, ids[at + j]!));
  return { latents: [...own, vector(latentTargets!, at + n - 1, last)] };
}

function fail(message: string): never {
  throw new ValueError('pack', message);
}
