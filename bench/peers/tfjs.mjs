// TensorFlow.js on its WebAssembly backend. The package switches threads off in Node.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { loadModel } from './model.mjs';
import { serve } from './serve.mjs';
import { tfjsSubjects } from './tfjs-work.mjs';

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs'); // the core package alone has no gradients in Node
const wasm = require('@tensorflow/tfjs-backend-wasm');
const manifest = require.resolve('@tensorflow/tfjs-backend-wasm/package.json');
wasm.setWasmPaths(`${join(dirname(manifest), 'wasm-out')}/`);
tf.env().set('PROD', true);
await tf.setBackend('wasm');

const subjects = tfjsSubjects(tf);
const withWeights = ({ weights, ...request }) =>
  weights === undefined
    ? request
    : { ...request, weights: loadModel(weights, request.preset.layers) };
await serve({ version: `TensorFlow.js ${tf.version.tfjs}`, threads: 1, simd: 'simd' }, (request) =>
  subjects[request.subject](withWeights(request)),
);
