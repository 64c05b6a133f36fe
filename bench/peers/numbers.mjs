// What the JavaScript peers share that needs nothing of Node: inputs, sums, and the layout of the weights.
export function pattern(size, seed, scale = 1) {
  const out = new Float32Array(size);
  for (let i = 0; i < size; i++) out[i] = (((i * 7919 + seed * 104729) % 1999) / 999.5 - 1) * scale;
  return out;
}

export function patternIds(size, vocab) {
  return Int32Array.from({ length: size }, (_, i) => (i * 7919) % vocab);
}

function transposed({ shape: [rows, cols], data }) {
  const out = new Float32Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) out[j * rows + i] = data[i * cols + j];
  return { shape: [cols, rows], data: out };
}

/** Matrices `[in, n_i]` side by side; vectors end to end. */
function joined(parts) {
  if (parts[0].shape.length === 1) {
    const data = Float32Array.from(parts.flatMap((p) => [...p.data]));
    return { shape: [data.length], data };
  }
  const rows = parts[0].shape[0];
  const cols = parts.reduce((n, p) => n + p.shape[1], 0);
  const data = new Float32Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    let at = i * cols;
    for (const { shape, data: from } of parts) {
      data.set(from.subarray(i * shape[1], (i + 1) * shape[1]), at);
      at += shape[1];
    }
  }
  return { shape: [rows, cols], data };
}

/** Weights as `[in, out]`, queries, keys and values in one matrix, by short names. `w` has Hugging Face's names. */
export function arranged(w, layers) {
  const out = {
    tok: w['model.embed_tokens.weight'],
    pos: w['model.embed_positions.weight'],
    gf: w['model.norm.weight'],
    bf: w['model.norm.bias'],
    head: transposed(w['lm_head.weight']),
  };
  for (let l = 0; l < layers; l++) {
    const at = (name) => w[`model.layers.${l}.${name}`];
    const qkv = ['q', 'k', 'v'].map((x) => `self_attn.${x}_proj`);
    out[`g1_${l}`] = at('input_layernorm.weight');
    out[`b1_${l}`] = at('input_layernorm.bias');
    out[`wqkv_${l}`] = joined(qkv.map((n) => transposed(at(`${n}.weight`))));
    out[`bqkv_${l}`] = joined(qkv.map((n) => at(`${n}.bias`)));
    out[`wo_${l}`] = transposed(at('self_attn.o_proj.weight'));
    out[`bo_${l}`] = at('self_attn.o_proj.bias');
    out[`g2_${l}`] = at('post_attention_layernorm.weight');
    out[`b2_${l}`] = at('post_attention_layernorm.bias');
    out[`w1_${l}`] = transposed(at('mlp.up_proj.weight'));
    out[`bb1_${l}`] = at('mlp.up_proj.bias');
    out[`w2_${l}`] = transposed(at('mlp.down_proj.weight'));
    out[`bb2_${l}`] = at('mlp.down_proj.bias');
  }
  return out;
}

/** 0 where a query may look, -1e9 where it may not, `[t, t]`. */
export function causalBias(t) {
  const bias = new Float32Array(t * t);
  for (let i = 0; i < t; i++) bias.fill(-1e9, i * t + i + 1, (i + 1) * t);
  return bias;
}

export const meanAbs = (values) => {
  let sum = 0;
  for (const v of values) sum += Math.abs(v);
  return sum / values.length;
};
