// jax-js on its WebAssembly device, everything in jit. A use of an array ends it: `.ref` keeps another.
import { defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import { causalBias, loadModel, meanAbs, versionOf } from './model.mjs';
import { pattern, patternIds, serve } from './serve.mjs';

await init('wasm');
defaultDevice('wasm');

const array = (data, shape) => np.array(data).reshape(shape);
const turn = (x) => np.swapaxes(x, -1, -2);
const settle = async (x) => {
  await x.blockUntilReady();
  x.dispose();
};

function gemm({ batch, m, n, k, transA, transB }) {
  const shape = (r, c) => (batch === 1 ? [r, c] : [batch, r, c]);
  const a = array(pattern(batch * m * k, 1), transA ? shape(k, m) : shape(m, k));
  const b = array(pattern(batch * k * n, 2), transB ? shape(n, k) : shape(k, n));
  const f = jit((x, y) => np.matmul(transA ? turn(x) : x, transB ? turn(y) : y));
  return {
    run: () => settle(f(a.ref, b.ref)),
    async check() {
      const values = await f(a.ref, b.ref).data();
      return [meanAbs(values), values.at(-1)];
    },
  };
}

const gelu = (x) => nn.gelu(x, { approximate: true });
const layerNorm = (x, weight, bias) => {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
  return centred
    .mul(np.reciprocal(np.sqrt(variance.add(1e-5))))
    .mul(weight)
    .add(bias);
};
const crossEntropy = (logits, ids, v) =>
  np.sum(nn.logSoftmax(logits, -1).mul(nn.oneHot(ids, v)), -1).mul(-1);

function ops({ name, rows, cols }) {
  const x = array(pattern(rows * cols, 3, 3), [rows, cols]);
  const y = array(pattern(rows * cols, 4), [rows, cols]);
  const [weight, bias] = [np.ones([cols]), np.zeros([cols])];
  const ids = np.array(patternIds(rows, cols));
  const [f, args] = {
    softmax: [(a) => nn.softmax(a, -1), [x]],
    'layer norm': [layerNorm, [x, weight, bias]],
    gelu: [gelu, [x]],
    add: [(a, b) => a.add(b), [x, y]],
    'cross-entropy': [(a, i) => crossEntropy(a, i, cols), [x, ids]],
    'sum of rows': [(a) => np.sum(a, 1), [x]],
    transpose: [(a) => turn(a), [x]],
  }[name];
  const op = jit(f);
  const run = () => op(...args.map((t) => t.ref));
  return { run: () => settle(run()), check: async () => [meanAbs(await run().data())] };
}

function attention({ length, heads, headDim }) {
  const inputs = [1, 2, 3].map((seed) =>
    np.transpose(
      array(pattern(length * heads * headDim, seed), [1, length, heads, headDim]),
      [0, 2, 1, 3],
    ),
  );
  const mask = array(causalBias(length), [1, 1, length, length]);
  const loss = (q, k, v, bias) => {
    const scores = np
      .matmul(q, turn(k))
      .mul(headDim ** -0.5)
      .add(bias);
    return np.sum(np.matmul(nn.softmax(scores, -1), v));
  };
  const both = jit(valueAndGrad(loss, { argnums: [0, 1, 2] }));
  const step = () => both(...inputs.map((t) => t.ref), mask.ref);
  return {
    async run() {
      const [value, grads] = step();
      for (const t of [value, ...grads]) await settle(t);
    },
    async check() {
      const [value, grads] = step();
      const sums = [(await value.data())[0]];
      for (const g of grads) sums.push(meanAbs(await g.data()));
      return sums;
    },
  };
}

function parameters({ layers }, path) {
  const entries = Object.entries(loadModel(path, layers));
  return Object.fromEntries(entries.map(([name, { shape, data }]) => [name, array(data, shape)]));
}

/** x `[n, d]` through all layers to logits; `attend(l, qkv)` gives `[n, d]`. `p` stays the caller's. */
function decoder({ layers }, p, x, attend) {
  const lin = (y, w, b) => {
    const out = np.matmul(y, p[w].ref);
    return b ? out.add(p[b].ref) : out;
  };
  for (let l = 0; l < layers; l++) {
    const h = layerNorm(x.ref, p[`g1_${l}`].ref, p[`b1_${l}`].ref);
    const o = attend(l, lin(h, `wqkv_${l}`, `bqkv_${l}`));
    x = x.add(lin(o, `wo_${l}`, `bo_${l}`));
    const h2 = layerNorm(x.ref, p[`g2_${l}`].ref, p[`b2_${l}`].ref);
    x = x.add(lin(gelu(lin(h2, `w1_${l}`, `bb1_${l}`)), `w2_${l}`, `bb2_${l}`));
  }
  return lin(layerNorm(x, p.gf.ref, p.bf.ref), 'head');
}

function train({ preset, weights }) {
  const { vocab, dim, heads, length, batch } = preset;
  const n = batch * length;
  const sequence = patternIds(n + 1, vocab);
  const [ids, targets] = [np.array(sequence.slice(0, n)), np.array(sequence.slice(1))];
  const mask = array(causalBias(length), [1, 1, length, length]);
  const loss = (p, x, y, bias) => {
    const split = (t) => np.transpose(t.reshape([batch, length, heads, dim / heads]), [0, 2, 1, 3]);
    const attend = (_, qkv) => {
      const [q, k, v] = np.split(qkv, 3, -1).map(split);
      const scores = np
        .matmul(q, turn(k))
        .mul((dim / heads) ** -0.5)
        .add(bias.ref);
      const o = np.matmul(nn.softmax(scores, -1), v);
      return np.transpose(o, [0, 2, 1, 3]).reshape([n, dim]);
    };
    const embedded = np.matmul(nn.oneHot(x, vocab), p.tok.ref).reshape([batch, length, dim]);
    const logits = decoder(preset, p, embedded.add(p.pos.ref).reshape([n, dim]), attend);
    bias.dispose();
    tree.dispose(p);
    return np.mean(crossEntropy(logits, y, vocab));
  };
  const [lr, b1, b2] = [1e-3, 0.9, 0.999];
  const update = jit((p, m, v, c1, c2, x, y, bias) => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(p), x, y, bias);
    const next = [{}, {}, {}];
    for (const name of Object.keys(p)) {
      const g = grads[name];
      const decay = p[name].shape.length >= 2 ? 1 - lr * 0.01 : 1;
      const m1 = m[name].mul(b1).add(g.ref.mul(1 - b1));
      const v1 = v[name].mul(b2).add(np.square(g).mul(1 - b2));
      const change = m1.ref.mul(c1.ref).div(np.sqrt(v1.ref.mul(c2.ref)).add(1e-8));
      next[0][name] = p[name].mul(decay).sub(change);
      next[1][name] = m1;
      next[2][name] = v1;
    }
    c1.dispose();
    c2.dispose();
    return [value, ...next];
  });
  let p = parameters(preset, weights);
  const zeros = () => tree.map((t) => np.zeros(t.shape), p);
  let [m, v, count] = [zeros(), zeros(), 0];
  const step = async () => {
    count++;
    const rates = [np.array(lr / (1 - b1 ** count)), np.array(1 / (1 - b2 ** count))];
    let value;
    [value, p, m, v] = update(p, m, v, ...rates, ids.ref, targets.ref, mask.ref);
    return (await value.data())[0];
  };
  return { run: step, check: async () => [await step(), await step(), await step()] };
}

function generate({ preset, weights, batch, tokens }) {
  const { vocab, layers, dim, heads, length } = preset;
  const p = parameters(preset, weights);
  const headDim = dim / heads;
  // The cache has its full length (a growing one compiles kernels for each): written by mask, read by bias.
  const next = jit((params, ids, keys, values, here, bias, pos) => {
    const [newKeys, newValues] = [[], []];
    const attend = (l, qkv) => {
      const [q, k, v] = np.split(qkv, 3, -1).map((t) => t.reshape([batch, heads, 1, headDim]));
      const allKeys = np.where(here.ref, k, keys[l]);
      const allValues = np.where(here.ref, v, values[l]);
      newKeys.push(allKeys.ref);
      newValues.push(allValues.ref);
      const scores = np
        .matmul(q, turn(allKeys))
        .mul(headDim ** -0.5)
        .add(bias.ref);
      return np.matmul(nn.softmax(scores, -1), allValues).reshape([batch, dim]);
    };
    const x = np.matmul(nn.oneHot(ids, vocab), params.tok.ref).add(pos);
    const logits = decoder(preset, params, x, attend);
    here.dispose();
    bias.dispose();
    tree.dispose(params);
    return [np.argmax(logits, -1), newKeys, newValues];
  });
  const empty = () =>
    Array.from({ length: layers }, () => np.zeros([batch, heads, length, headDim]));
  const range = (f) => Array.from({ length }, (_, i) => f(i));
  const run = async () => {
    const chosen = [];
    let [keys, values] = [empty(), empty()];
    let ids = np.array(new Int32Array(batch));
    for (let t = 0; t < tokens; t++) {
      const here = np.array(Int32Array.from(range((i) => +(i === t)))).reshape([1, 1, length, 1]);
      const bias = array(Float32Array.from(range((i) => (i <= t ? 0 : -1e9))), [1, 1, 1, length]);
      const pos = p.pos.ref.slice([t, t + 1]).reshape([1, dim]);
      [ids, keys, values] = next(tree.ref(p), ids, keys, values, here.astype(np.bool), bias, pos);
      const host = await ids.data();
      chosen.push(host[0]);
      ids = np.array(Int32Array.from(host));
    }
    tree.dispose([ids, keys, values]);
    return chosen;
  };
  return { run, check: run };
}

const subjects = { gemm, ops, attention, train, generate };
await serve(
  { version: `jax-js ${versionOf('@jax-js/jax')}`, threads: 1, simd: 'simd' },
  (request) => subjects[request.subject](request),
);
