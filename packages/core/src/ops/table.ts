/** Every op by name: what tests and checks iterate over. */
import type { OpName } from '../attrs';
import type { Op } from '../op';
import { randomBitsOp } from '../random';
import * as arithmetic from './arithmetic';
import { foldOp, unfoldOp } from './conv';
import { fillOp, iotaOp } from './create';
import * as activation from './fused/activation';
import { adamwOp } from './fused/adamw';
import { attentionGradOp, attentionOp } from './fused/attention';
import * as norm from './fused/norm';
import { ropeOp } from './fused/rope';
import * as scan from './fused/scan';
import * as softmax from './fused/softmax';
import * as index from './index-ops';
import * as linear from './linear';
import { matmulOp } from './matmul';
import * as reduce from './reduce';
import * as select from './select';
import * as sequence from './sequence';
import * as shape from './shape';
import * as unary from './unary';

/** One entry for each row of `OpAttrs`; a missing one does not compile. */
export const ops: { readonly [N in OpName]: Op<N> } = {
  add: arithmetic.addOp,
  sub: arithmetic.subOp,
  mul: arithmetic.mulOp,
  div: arithmetic.divOp,
  maximum: arithmetic.maximumOp,
  minimum: arithmetic.minimumOp,
  pow: arithmetic.powOp,
  atan2: arithmetic.atan2Op,
  remainder: arithmetic.remainderOp,
  neg: arithmetic.negOp,
  floor: arithmetic.floorOp,
  log: arithmetic.logOp,
  eq: select.eqOp,
  ne: select.neOp,
  lt: select.ltOp,
  le: select.leOp,
  gt: select.gtOp,
  ge: select.geOp,
  and: select.andOp,
  or: select.orOp,
  xor: select.xorOp,
  not: select.notOp,
  isNaN: select.isNaNOp,
  isInf: select.isInfOp,
  isFinite: select.isFiniteOp,
  where: select.whereOp,
  abs: unary.absOp,
  sign: unary.signOp,
  ceil: unary.ceilOp,
  round: unary.roundOp,
  exp: unary.expOp,
  expm1: unary.expm1Op,
  log1p: unary.log1pOp,
  sqrt: unary.sqrtOp,
  rsqrt: unary.rsqrtOp,
  reciprocal: unary.reciprocalOp,
  square: unary.squareOp,
  sin: unary.sinOp,
  cos: unary.cosOp,
  tanh: unary.tanhOp,
  sigmoid: unary.sigmoidOp,
  softplus: unary.softplusOp,
  erf: unary.erfOp,
  relu: unary.reluOp,
  sum: linear.sumOp,
  prod: reduce.prodOp,
  max: reduce.maxOp,
  min: reduce.minOp,
  argmax: reduce.argmaxOp,
  argmin: reduce.argminOp,
  argsort: reduce.argsortOp,
  cumsum: reduce.cumsumOp,
  cast: linear.castOp,
  reshape: linear.reshapeOp,
  permute: linear.permuteOp,
  broadcastTo: linear.broadcastToOp,
  slice: shape.sliceOp,
  pad: shape.padOp,
  concat: shape.concatOp,
  flip: shape.flipOp,
  gather: index.gatherOp,
  scatterAdd: index.scatterAddOp,
  embedding: index.embeddingOp,
  embeddingGrad: index.embeddingGradOp,
  updateSlice: index.updateSliceOp,
  fill: fillOp,
  iota: iotaOp,
  randomBits: randomBitsOp,
  matmul: matmulOp,
  unfold: unfoldOp,
  fold: foldOp,
  fft: sequence.fftOp,
  longConv: sequence.longConvOp,
  linearRecurrence: sequence.linearRecurrenceOp,
  softmax: softmax.softmaxOp,
  softmaxGrad: softmax.softmaxGradOp,
  logSoftmax: softmax.logSoftmaxOp,
  logSoftmaxGrad: softmax.logSoftmaxGradOp,
  crossEntropy: softmax.crossEntropyOp,
  crossEntropyGrad: softmax.crossEntropyGradOp,
  layerNorm: norm.layerNormOp,
  layerNormGrad: norm.layerNormGradOp,
  rmsNorm: norm.rmsNormOp,
  rmsNormGrad: norm.rmsNormGradOp,
  gelu: activation.geluOp,
  geluGrad: activation.geluGradOp,
  silu: activation.siluOp,
  siluGrad: activation.siluGradOp,
  swiglu: activation.swigluOp,
  swigluGrad: activation.swigluGradOp,
  rope: ropeOp,
  attention: attentionOp,
  attentionGrad: attentionGradOp,
  adamw: adamwOp,
  selectiveScan: scan.selectiveScanOp,
  selectiveScanGrad: scan.selectiveScanGradOp,
};
