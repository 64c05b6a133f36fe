/** Weights as `[in, out]`, queries, keys and values in one matrix, by short names. */
export function arranged(
  weights: Readonly<Record<string, { readonly shape: number[]; readonly data: number[] }>>,
  layers: number,
): Readonly<Record<string, { readonly shape: number[]; readonly data: Float32Array | number[] }>>;
