// ONNX Runtime's native package: inference only, so products, ops and generation. Argument: JSON of { threads }.
import ort from 'onnxruntime-node';
import { loadModel, meanAbs, versionOf } from './model.mjs';
import { constant, FLOAT, INT64, model, node } from './onnx-writer.mjs';
import { pattern, serve } from './serve.mjs';

const { threads } = JSON.parse(process.argv[2]);
const options = {
  executionProviders: ['cpu'],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
};
const session = (...parts) => ort.InferenceSession.create(model(...parts), options);
const f32 = (data, shape) => new ort.Tensor('float32', data, shape);
const i64 = (data, shape) => new ort.Tensor('int64', BigInt64Array.from(data, BigInt), shape);

async function gemm({ batch, m, n, k, transA, transB }) {
  const shape = (r, c) => (batch === 1 ? [r, c] : [batch, r, c]);
  const shapes = [transA ? shape(k, m) : shape(m, k), transB ? shape(n, k) : shape(k, n)];
  const perm = batch === 1 ? [1, 0] : [0, 2, 1];
  const nodes = [];
  const read = (name, turned) => {
    if (!turned) return name;
    nodes.push(node('Transpose', [name], [`${name}t`], { perm }));
    return `${name}t`;
  };
  nodes.push(node('MatMul', [read('a', transA), read('b', transB)], ['c']));
  const inputs = [
    ['a', FLOAT, shapes[0]],
    ['b', FLOAT, shapes[1]],
  ];
  const run = await session(nodes, [], inputs, [['c', FLOAT, shape(m, n)]]);
  const feeds = {
    a: f32(pattern(batch * m * k, 1), shapes[0]),
    b: f32(pattern(batch * k * n, 2), shapes[1]),
  };
  return {
    run: () => run.run(feeds),
    async check() {
      const { data } = (await run.run(feeds)).c;
      return [meanAbs(data), data.at(-1)];
    },
  };
}

async function ops({ name, rows, cols }) {
  const graph = {
    softmax: [node('Softmax', ['x'], ['y'], { axis: -1 })],
    'layer norm': [node('LayerNormalization', ['x', 'w', 'b'], ['y'], { axis: -1 })],
    gelu: [node('Gelu', ['x'], ['y'], { approximate: 'tanh' })],
    transpose: [node('Transpose', ['x'], ['y'], { perm: [1, 0] })],
  }[name];
  if (graph === undefined) throw new Error(`no ${name} here`);
  const norm = [
    constant('w', [cols], new Float32Array(cols).fill(1)),
    constant('b', [cols], new Float32Array(cols)),
  ];
  const out = name === 'transpose' ? [cols, rows] : [rows, cols];
  const constants = name === 'layer norm' ? norm : [];
  const run = await session(graph, constants, [['x', FLOAT, [rows, cols]]], [['y', FLOAT, out]]);
  const feeds = { x: f32(pattern(rows * cols, 3, 3), [rows, cols]) };
  return { run: () => run.run(feeds), check: async () => [meanAbs((await run.run(feeds)).y.data)] };
}

/** One step of decoding with a cache that grows: `(ids, position, cache) -> (next ids, cache)`. */
function decoderGraph({ layers, dim, heads }, weights, batch) {
  const headDim = dim / heads;
  const nodes = [];
  const constants = Object.entries(weights).map(([name, w]) => constant(name, w.shape, w.data));
  const longs = (name, values) =>
    constants.push(constant(name, [values.length], BigInt64Array.from(values, BigInt)));
  longs('split', [batch, 1, heads, headDim]);
  longs('flat', [batch, dim]);
  longs('thirds', [dim, dim, dim]);
  constants.push(constant('scale', [1], Float32Array.of(headDim ** -0.5)));
  const op = (type, inputs, attributes) => {
    const name = `v${nodes.length}`;
    nodes.push(node(type, inputs, [name], attributes));
    return name;
  };
  const lin = (x, w, b) => {
    const y = op('MatMul', [x, w]);
    return b ? op('Add', [y, b]) : y;
  };
  const norm = (x, w, b) => op('LayerNormalization', [x, w, b], { axis: -1 });
  const cache = (name, size) => [name, FLOAT, [batch, heads, size, headDim]];
  const [inputs, outputs] = [
    [
      ['ids', INT64, [batch]],
      ['at', INT64, [1]],
    ],
    [['next', INT64, [batch]]],
  ];
  let x = op('Add', [op('Gather', ['tok', 'ids']), op('Gather', ['pos', 'at'])]);
  for (let l = 0; l < layers; l++) {
    const qkv = lin(norm(x, `g1_${l}`, `b1_${l}`), `wqkv_${l}`, `bqkv_${l}`);
    const parts = ['q', 'k', 'v'].map((n) => `new_${n}${l}`);
    nodes.push(node('Split', [qkv, 'thirds'], parts, { axis: 1 }));
    const [q, k, v] = parts.map((t) =>
      op('Transpose', [op('Reshape', [t, 'split'])], { perm: [0, 2, 1, 3] }),
    );
    nodes.push(node('Concat', [`pastK${l}`, k], [`keys${l}`], { axis: 2 }));
    nodes.push(node('Concat', [`pastV${l}`, v], [`values${l}`], { axis: 2 }));
    const turned = op('Transpose', [`keys${l}`], { perm: [0, 1, 3, 2] });
    const scores = op('Softmax', [op('Mul', [op('MatMul', [q, turned]), 'scale'])], { axis: -1 });
    const o = op('Transpose', [op('MatMul', [scores, `values${l}`])], { perm: [0, 2, 1, 3] });
    x = op('Add', [x, lin(op('Reshape', [o, 'flat']), `wo_${l}`, `bo_${l}`)]);
    const up = lin(norm(x, `g2_${l}`, `b2_${l}`), `w1_${l}`, `bb1_${l}`);
    x = op('Add', [x, lin(op('Gelu', [up], { approximate: 'tanh' }), `w2_${l}`, `bb2_${l}`)]);
    inputs.push(cache(`pastK${l}`, 'past'), cache(`pastV${l}`, 'past'));
    outputs.push(cache(`keys${l}`, 'all'), cache(`values${l}`, 'all'));
  }
  nodes.push(
    node('ArgMax', [lin(norm(x, 'gf', 'bf'), 'head')], ['next'], { axis: 1, keepdims: 0 }),
  );
  return [nodes, constants, inputs, outputs];
}

async function generate({ preset, weights, batch, tokens }) {
  const { layers, dim, heads } = preset;
  const step = await session(...decoderGraph(preset, loadModel(weights, layers), batch));
  const run = async () => {
    const chosen = [];
    let feeds = { ids: i64(new Array(batch).fill(0), [batch]) };
    for (let l = 0; l < layers; l++) {
      const empty = f32(new Float32Array(0), [batch, heads, 0, dim / heads]);
      feeds[`pastK${l}`] = feeds[`pastV${l}`] = empty;
    }
    for (let t = 0; t < tokens; t++) {
      feeds.at = i64([t], [1]);
      const out = await step.run(feeds);
      feeds = { ids: out.next };
      for (let l = 0; l < layers; l++) {
        feeds[`pastK${l}`] = out[`keys${l}`];
        feeds[`pastV${l}`] = out[`values${l}`];
      }
      chosen.push(Number(out.next.data[0]));
    }
    return chosen;
  };
  return { run, check: run };
}

const subjects = { gemm, ops, generate };
await serve(
  { version: `onnxruntime-node ${versionOf('onnxruntime-node')}`, threads, simd: 'native' },
  (request) => subjects[request.subject](request),
);
