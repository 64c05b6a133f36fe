/** unary, binary, compare. */

import type { Tensor } from '@loretta-ts/core';
import * as core from '@loretta-ts/core';
import type { OpCall } from '../call';

const unary =
  (fn: (x: Tensor) => Tensor): OpCall =>
  (c) =>
    fn(c.x);
const binary =
  (fn: (a: Tensor, b: Tensor) => Tensor): OpCall =>
  (c) =>
    fn(...c.pair);

export const elementwise: Readonly<Record<string, OpCall>> = {
  exp: unary(core.exp),
  expm1: unary(core.expm1),
  log: unary(core.log),
  log1p: unary(core.log1p),
  sqrt: unary(core.sqrt),
  rsqrt: unary(core.rsqrt),
  reciprocal: unary(core.reciprocal),
  square: unary(core.square),
  tanh: unary(core.tanh),
  sigmoid: unary(core.sigmoid),
  logsigmoid: unary(core.logSigmoid),
  silu: unary(core.silu),
  gelu_tanh: unary((x) => core.gelu(x, { approximate: true })),
  gelu_erf: unary((x) => core.gelu(x, { approximate: false })),
  relu: unary(core.relu),
  softplus: unary(core.softplus),
  sin: unary(core.sin),
  cos: unary(core.cos),
  abs: unary(core.abs),
  neg: unary(core.neg),
  sign: unary(core.sign),
  erf: unary(core.erf),
  floor: unary(core.floor),
  ceil: unary(core.ceil),
  round: unary(core.round),
  detach: unary(core.stopGradient),
  pow_scalar: (c) => core.pow(c.x, c.num('exponent')),
  clamp: (c) =>
    core.clamp(c.x, {
      min: c.has('min') ? c.num('min') : null,
      max: c.has('max') ? c.num('max') : null,
    }),
  leaky_relu: (c) => core.leakyRelu(c.x, c.num('negative_slope', 0.01)),
  elu: (c) => core.elu(c.x, c.num('alpha', 1)),
  softplus_beta: (c) => core.div(core.softplus(core.mul(c.x, c.num('beta'))), c.num('beta')),

  add: binary(core.add),
  sub: binary(core.sub),
  mul: binary(core.mul),
  div: binary(core.div),
  maximum: binary(core.maximum),
  minimum: binary(core.minimum),
  pow: binary(core.pow),
  atan2: binary(core.atan2),
  remainder: binary(core.remainder),
  mul_add_self: (c) => core.add(core.mul(c.x, c.x), c.x),
  add_scalar: (c) => core.add(c.x, c.num('scalar')),
  sub_scalar: (c) => core.sub(c.x, c.num('scalar')),
  mul_scalar: (c) => core.mul(c.x, c.num('scalar')),
  div_scalar: (c) => core.div(c.x, c.num('scalar')),
  rsub_scalar: (c) => core.sub(c.num('scalar'), c.x),
  rdiv_scalar: (c) => core.div(c.num('scalar'), c.x),

  eq: binary(core.eq),
  ne: binary(core.ne),
  lt: binary(core.lt),
  le: binary(core.le),
  gt: binary(core.gt),
  ge: binary(core.ge),
  logical_and: binary(core.and),
  logical_or: binary(core.or),
  logical_xor: binary(core.xor),
  logical_not: unary(core.not),
  isnan: unary(core.isNaN),
  isinf: unary(core.isInf),
  isfinite: unary(core.isFinite),
  where: (c) => core.where(c.t('cond'), c.t('a'), c.t('b')),
  masked_fill: (c) => core.where(c.t('mask'), c.num('value'), c.t('x')),
};
