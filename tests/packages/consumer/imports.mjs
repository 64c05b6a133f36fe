// Each package from plain JavaScript, as an ES module, with one real call.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as cpu from '@loretta-ts/backend-cpu';
import * as gpu from '@loretta-ts/backend-gpu';
import * as core from '@loretta-ts/core';
import * as debug from '@loretta-ts/core/debug';
import * as testing from '@loretta-ts/core/testing';
import * as loretta from '@loretta-ts/loretta';
import * as lorettaNode from '@loretta-ts/loretta/node';
import * as nn from '@loretta-ts/nn';
import * as nnNode from '@loretta-ts/nn/node';
import * as tokenizers from '@loretta-ts/tokenizers';

core.setBackend(cpu.cpu());
const x = core.tensor([1, 2, 3]);
const slope = core.grad((t) => t.mul(t).sum())(x);
assert.deepEqual([...(await slope.data())], [2, 4, 6]);

const anomaly = await debug.detectAnomaly([x], () => x.sub(x).log().sum());
assert.match(anomaly.message, /^log made infinity/);

const layer = new nn.Linear(3, 2, { key: core.key(1) });
assert.deepEqual(layer.forward(x.reshape(1, 3)).shape, [1, 2]);

const dir = mkdtempSync(join(tmpdir(), 'loretta-consumer-files-'));
try {
  const file = join(dir, 'layer.safetensors');
  await nnNode.saveSafetensors(file, await nn.toHost(layer.stateDict()));
  const { tensors } = await nnNode.loadSafetensors(file);
  assert.deepEqual([...tensors.keys()], ['weight']);
} finally {
  rmSync(dir, { recursive: true });
}

const bytes = new tokenizers.ByteTokenizer();
assert.equal(bytes.decodeText(bytes.encodeText('né')), 'né');

const graph = new loretta.ModalityGraph(
  ['image', 'text', 'speech'],
  [
    ['image', 'text'],
    ['text', 'speech'],
  ],
);
assert.deepEqual(graph.route('image', 'speech'), ['image', 'text', 'speech']);
assert.ok(lorettaNode.checkpointPath('run', 'transitive').endsWith('transitive.safetensors'));

const all = { core, debug, testing, cpu, gpu, nn, nnNode, tokenizers, loretta, lorettaNode };
console.log(Object.keys(all).join(' '));
