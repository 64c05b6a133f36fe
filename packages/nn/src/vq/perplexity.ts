/** How many codes a batch uses. */
import {
  add,
  div,
  embeddingGrad,
  exp,
  type FloatDType,
  log,
  mul,
  neg,
  ones,
  sum,
  type Tensor,
  tidy,
} from '@loretta-ts/core';

/**
 * exp of the entropy of how often each index occurs: 1 when all are one code, `codes` when all occur alike. 1e-10 keeps
 * the logarithm of unused codes finite.
 * @param indices `i32[...]`, in [0, codes)
 */
export function perplexity(indices: Tensor, codes: number, dtype: FloatDType = 'f32'): Tensor {
  return tidy(() => {
    const n = indices.size;
    const counts = embeddingGrad(indices.reshape(n), ones([n], { dtype }), codes); // [k]
    const share = div(counts, n);
    return exp(neg(sum(mul(share, log(add(share, 1e-10))))));
  });
}
