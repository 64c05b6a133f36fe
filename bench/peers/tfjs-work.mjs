// The work of the benchmarks in TensorFlow.js, on whatever backend `tf` has: WebAssembly in Node, WebGL in a page.
import { causalBias, meanAbs, pattern, patternIds } from './numbers.mjs';

/** By subject; `weights` are those of `model.mjs`. */
export function tfjsSubjects(tf) {
  const i32 = (data, shape) => tf.tensor(data, shape, 'int32');

  function gemm({ batch, m, n, k, transA, transB }) {
    const shape = (r, c) => (batch === 1 ? [r, c] : [batch, r, c]);
    const a = tf.tensor(pattern(batch * m * k, 1), transA ? shape(k, m) : shape(m, k));
    const b = tf.tensor(pattern(batch * k * n, 2), transB ? shape(n, k) : shape(k, n));
    return {
      run: () => tf.matMul(a, b, transA, transB).dispose(),
      check() {
        const c = tf.matMul(a, b, transA, transB);
        const values = c.dataSync();
        c.dispose();
        return [meanAbs(values), values.at(-1)];
      },
      free: () => tf.dispose([a, b]),
    };
  }

  const gelu = (x) => {
    const inner = tf.mul(0.7978845608028654, tf.add(x, tf.mul(0.044715, tf.mul(x, tf.mul(x, x)))));
    return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(inner)));
  };
  const layerNorm = (x, weight, bias) => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const variance = tf.mean(tf.square(centred), -1, true);
    return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-5))), weight), bias);
  };
  const crossEntropy = (logits, hot) => tf.neg(tf.sum(tf.mul(hot, tf.logSoftmax(logits)), -1));

  function ops({ name, rows, cols }) {
    const x = tf.tensor(pattern(rows * cols, 3, 3), [rows, cols]);
    const y = tf.tensor(pattern(rows * cols, 4), [rows, cols]);
    const weight = tf.ones([cols]);
    const bias = tf.zeros([cols]);
    const hot = tf.cast(tf.oneHot(i32(patternIds(rows, cols), [rows]), cols), 'float32');
    const op = {
      softmax: () => tf.softmax(x),
      'layer norm': () => layerNorm(x, weight, bias),
      gelu: () => gelu(x),
      add: () => tf.add(x, y),
      'cross-entropy': () => crossEntropy(x, hot),
      'sum of rows': () => tf.sum(x, 1),
      transpose: () => tf.transpose(x),
    }[name];
    const run = () => tf.tidy(op);
    return {
      run: () => run().dispose(),
      check() {
        const out = run();
        const values = out.dataSync();
        out.dispose();
        return [meanAbs(values)];
      },
      free: () => tf.dispose([x, y, weight, bias, hot]),
    };
  }

  function attention({ length, heads, headDim }) {
    const turned = (seed) =>
      tf.tidy(() =>
        tf.transpose(
          tf.tensor(pattern(length * heads * headDim, seed), [1, length, heads, headDim]),
          [0, 2, 1, 3],
        ),
      );
    const inputs = [turned(1), turned(2), turned(3)];
    const mask = tf.tensor(causalBias(length), [1, 1, length, length]);
    const loss = (q, k, v) => {
      const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), headDim ** -0.5), mask);
      return tf.sum(tf.matMul(tf.softmax(scores), v));
    };
    const both = tf.valueAndGrads(loss);
    const step = () => {
      const { value, grads } = both(inputs);
      return [value, ...grads];
    };
    return {
      run: () => tf.tidy(() => step().map((t) => t.dataSync()[0])),
      check: () =>
        tf.tidy(() => step().map((t, i) => (i === 0 ? t.dataSync()[0] : meanAbs(t.dataSync())))),
    };
  }

  function model({ layers, dim, heads }, weights) {
    const vars = {};
    for (const [name, { shape, data }] of Object.entries(weights)) {
      vars[name] = tf.variable(tf.tensor(data, shape), true, name);
    }
    const lin = (x, w, b) => {
      const y = tf.matMul(tf.reshape(x, [-1, w.shape[0]]), w);
      return tf.reshape(b ? tf.add(y, b) : y, [...x.shape.slice(0, -1), w.shape[1]]);
    };
    /** `i32[b, t] -> [[b, t, v], cache]` */
    const forward = (ids, embed, mask, cache, start) => {
      const [b, t] = ids.shape;
      const split = (y) => tf.transpose(tf.reshape(y, [b, t, heads, dim / heads]), [0, 2, 1, 3]);
      const next = [];
      let x = tf.add(embed(ids), tf.slice(vars.pos, [start, 0], [t, dim]));
      for (let l = 0; l < layers; l++) {
        const at = (name) => vars[`${name}_${l}`];
        const qkv = lin(layerNorm(x, at('g1'), at('b1')), at('wqkv'), at('bqkv'));
        let [q, k, v] = tf.split(qkv, 3, -1).map(split);
        if (cache) [k, v] = [tf.concat([cache[l][0], k], 2), tf.concat([cache[l][1], v], 2)];
        next.push([k, v]);
        let scores = tf.mul(tf.matMul(q, k, false, true), (dim / heads) ** -0.5);
        if (mask) scores = tf.add(scores, mask);
        const o = tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]), [
          b,
          t,
          dim,
        ]);
        x = tf.add(x, lin(o, at('wo'), at('bo')));
        const h = gelu(lin(layerNorm(x, at('g2'), at('b2')), at('w1'), at('bb1')));
        x = tf.add(x, lin(h, at('w2'), at('bb2')));
      }
      return [lin(layerNorm(x, vars.gf, vars.bf), vars.head), next];
    };
    return { vars, forward };
  }

  function train({ preset, weights }) {
    const { vocab, dim, length, batch } = preset;
    const { vars, forward } = model(preset, weights);
    const n = batch * length;
    const sequence = patternIds(n + 1, vocab);
    const oneHot = (data) => tf.cast(tf.oneHot(i32(data, [n]), vocab), 'float32');
    const ids = i32(sequence.slice(0, n), [batch, length]);
    const [hotIds, hot] = [oneHot(sequence.slice(0, n)), oneHot(sequence.slice(1))];
    const mask = tf.tensor(causalBias(length), [1, 1, length, length]);
    // gather has no gradient on this backend
    const embed = () => tf.reshape(tf.matMul(hotIds, vars.tok), [batch, length, dim]);
    const list = Object.values(vars);
    const slots = list.map((v) => ({
      m: tf.variable(tf.zerosLike(v)),
      v: tf.variable(tf.zerosLike(v)),
    }));
    const [lr, b1, b2] = [1e-3, 0.9, 0.999];
    let count = 0;
    const step = () =>
      tf.tidy(() => {
        const { value, grads } = tf.variableGrads(() => {
          const [logits] = forward(ids, embed, mask, null, 0);
          return tf.mean(crossEntropy(tf.reshape(logits, [n, vocab]), hot));
        }, list);
        count++;
        const [c1, c2] = [1 - b1 ** count, 1 - b2 ** count];
        list.forEach((p, i) => {
          const g = grads[p.name];
          const { m, v } = slots[i];
          m.assign(tf.add(tf.mul(m, b1), tf.mul(g, 1 - b1)));
          v.assign(tf.add(tf.mul(v, b2), tf.mul(tf.square(g), 1 - b2)));
          const change = tf.mul(tf.div(m, tf.add(tf.sqrt(tf.div(v, c2)), 1e-8)), lr / c1);
          p.assign(tf.sub(tf.mul(p, p.rank >= 2 ? 1 - lr * 0.01 : 1), change));
        });
        return value.dataSync()[0];
      });
    return { run: step, check: () => [step(), step(), step()] };
  }

  function generate({ preset, weights, batch, tokens }) {
    const { vars, forward } = model(preset, weights);
    const embed = (ids) => tf.gather(vars.tok, ids);
    const run = () => {
      const chosen = [];
      let cache = null;
      let ids = tf.zeros([batch, 1], 'int32');
      for (let t = 0; t < tokens; t++) {
        const [next, made] = tf.tidy(() => {
          const [logits, kv] = forward(ids, embed, null, cache, t);
          return [tf.argMax(logits, -1), kv];
        });
        tf.dispose([ids, cache ?? []]);
        [ids, cache] = [next, made];
        chosen.push(ids.dataSync()[0]);
      }
      tf.dispose([ids, cache]);
      return chosen;
    };
    return { run, check: run };
  }

  return { gemm, ops, attention, train, generate };
}
