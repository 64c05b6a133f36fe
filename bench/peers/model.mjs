// What the JavaScript peers share: the initial weights, and the layout that they use them in.
import { readFileSync } from 'node:fs';
import { arranged } from './numbers.mjs';

/** `{ name: { shape, data } }` of an f32 safetensors file. */
function readSafetensors(path) {
  const bytes = readFileSync(path);
  const headerSize = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerSize).toString());
  const start = 8 + headerSize;
  const out = {};
  for (const [name, { shape, data_offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [from, to] = data_offsets.map((o) => start + o);
    out[name] = {
      shape,
      data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + from, bytes.byteOffset + to)),
    };
  }
  return out;
}

/** The weights of a file, as the peers use them. */
export function loadModel(path, layers) {
  return arranged(readSafetensors(path), layers);
}

export { causalBias, meanAbs } from './numbers.mjs';

export function versionOf(name) {
  const manifest = new URL(`./node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}
