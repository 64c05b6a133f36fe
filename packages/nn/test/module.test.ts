/** Modules, layers, state dictionaries, accumulation and checkpoint files. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import {
  DTypeError,
  key,
  ShapeError,
  setBackend,
  type Tensor,
  tensor,
  ValueError,
  valueAndGrad,
} from '@loretta-ts/core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AdamW,
  CheckpointError,
  checkpointBytes,
  Conv1d,
  Conv2d,
  Decoder,
  type DecoderConfig,
  Dropout,
  decoderConfigFromHf,
  Embedding,
  fromHost,
  GradAccumulator,
  type HostTensor,
  Linear,
  Module,
  mseLoss,
  Param,
  parseSafetensors,
  restoreCheckpoint,
  SafetensorsError,
  SGD,
  StateDictError,
  selectRows,
  serializeSafetensors,
  toHost,
  weightsBytes,
} from '../src/index';
import {
  loadCheckpoint,
  loadHfFolder,
  loadLlama2c,
  readCheckpointMetadata,
  saveCheckpoint,
} from '../src/node';
import { expectClose } from './shared';

class Twin extends Module {
  readonly first: Linear;
  readonly list: readonly Linear[];
  readonly shared: Linear;
  readonly scale: Param;
  readonly note: string = 'not a parameter';

  constructor(seed: number) {
    super();
    this.first = new Linear(2, 3, { key: key(seed), bias: true });
    this.list = [
      new Linear(3, 2, { key: key(seed + 1) }),
      new Linear(2, 1, { key: key(seed + 2) }),
    ];
    this.shared = this.first;
    this.scale = new Param(tensor([1, 2]));
  }
}

const config: DecoderConfig = { vocab: 6, dim: 4, layers: 1, heads: 2, maxLength: 8 };
const folder = (): string => mkdtempSync(join(tmpdir(), 'nn-module-'));

describe('modules', () => {
  beforeAll(() => setBackend(referenceBackend()));

  it('names parameters by the path of fields, a shared one once', () => {
    const m = new Twin(0);
    expect(m.namedParameters().map(([name, p]) => [name, p.shape, p.decay])).toEqual([
      ['first.weight', [3, 2], true],
      ['first.bias', [3], false],
      ['list.0.weight', [2, 3], true],
      ['list.1.weight', [1, 2], true],
      ['scale', [2], false],
    ]);
    expect(m.parameterCount).toBe(6 + 3 + 6 + 2 + 2);
  });

  it('gives back what it was loaded with', async () => {
    const [a, b] = [new Twin(1), new Twin(5)];
    b.loadStateDict(await toHost(a.stateDict()));
    expect(await toHost(b.stateDict())).toEqual(await toHost(a.stateDict()));
    const c = new Twin(9);
    c.loadStateDict(a.stateDict());
    a.dispose();
    expect(await toHost(c.stateDict())).toEqual(await toHost(b.stateDict()));
  });

  it('lists every key that does not fit, and changes nothing', async () => {
    const m = new Twin(0);
    const before = await toHost(m.stateDict());
    const state = new Map<string, HostTensor>(await toHost(new Twin(3).stateDict()));
    state.delete('scale');
    state.set('extra', { dtype: 'F32', shape: [1], data: Float32Array.of(1) });
    state.set('first.bias', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) });
    let error: unknown;
    try {
      m.loadStateDict(state);
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(StateDictError);
    expect(error).toMatchObject({
      missing: ['scale'],
      unexpected: ['extra'],
      misshapen: ['first.bias'],
    });
    expect(String(error)).not.toContain('\n');
    expect(await toHost(m.stateDict())).toEqual(before);
    state.delete('first.bias');
    m.loadStateDict(state, { strict: false });
    expect((await toHost(m.stateDict())).get('first.weight')).toEqual(state.get('first.weight'));
  });

  it('a parameter keeps its shape and dtype', () => {
    const p = new Param(tensor([1, 2]));
    expect(() => p.assign(tensor([1]))).toThrow(StateDictError);
    expect(() => p.assign(tensor([1, 2], { dtype: 'i32' }))).toThrow(StateDictError);
    const old = p.value;
    p.assign(tensor([3, 4]));
    expect(old.disposed).toBe(true);
    p.assign(p.value);
    expect([...p.value.dataSync()]).toEqual([3, 4]);
  });

  it('host tensors are exact or refused', () => {
    const big: HostTensor = { dtype: 'I64', shape: [1], data: BigInt64Array.of(2n ** 53n + 1n) };
    expect(() => fromHost(big)).toThrow(DTypeError);
    expect(() => fromHost({ dtype: 'U32', shape: [1], data: Uint32Array.of(2 ** 31) })).toThrow(
      DTypeError,
    );
    expect([
      ...fromHost({ dtype: 'I64', shape: [2], data: BigInt64Array.of(-2n, 7n) }).dataSync(),
    ]).toEqual([-2, 7]);
    expect(fromHost({ dtype: 'BOOL', shape: [2], data: Uint8Array.of(0, 1) }).dtype).toBe('bool');
  });
});

describe('layers', () => {
  beforeAll(() => setBackend(referenceBackend()));

  it('Linear is x Wᵀ + b over any leading axes', () => {
    const m = new Linear(2, 1, { key: null, bias: true });
    m.loadStateDict(
      new Map([
        ['weight', tensor([[2, 3]])],
        ['bias', tensor([1])],
      ]),
    );
    const y = m.forward(tensor([[[1, 1]], [[0, -1]]]));
    expect(y.shape).toEqual([2, 1, 1]);
    expect([...y.dataSync()]).toEqual([6, -2]);
    expect(() => m.forward(tensor([1, 2, 3]))).toThrow(ShapeError);
  });

  it('selectRows takes rows of the flattened batch, and its gradient puts them back', () => {
    const x = tensor([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ]);
    const rows = tensor([3, 0, 3], { dtype: 'i32' });
    expect([...selectRows(x, rows).dataSync()]).toEqual([7, 8, 1, 2, 7, 8]);
    const { grads } = valueAndGrad([x], () => selectRows(x, rows).sum());
    expect([...grads.get(x).dataSync()]).toEqual([1, 1, 0, 0, 0, 0, 2, 2]);
  });

  it('dropout keeps the mean, repeats by key, and is the identity without one', () => {
    const layer = new Dropout(0.25);
    const x = tensor(new Float32Array(20000).fill(1));
    const y = Array.from(layer.forward(x, key(1)).dataSync());
    expect(new Set(y)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
    const kept = y.filter((v) => v !== 0).length / y.length;
    expect(Math.abs(kept - 0.75)).toBeLessThan(5 * Math.sqrt((0.75 * 0.25) / y.length));
    expect(layer.forward(x, null)).toBe(x);
    expect(() => new Dropout(1.5)).toThrow(ValueError);
    expect(() => new Dropout(Number.NaN)).toThrow(ValueError);
  });

  it('convolutions have the shapes and biases of their weights', () => {
    const line = new Conv1d(4, 6, 3, { key: key(0), padding: 1, groups: 2, stride: 2 });
    expect(line.weight.shape).toEqual([6, 2, 3]);
    expect(line.forward(tensor(new Float32Array(2 * 4 * 8), { shape: [2, 4, 8] })).shape).toEqual([
      2, 6, 4,
    ]);
    const plane = new Conv2d(1, 2, 2, { key: null });
    plane.loadStateDict(
      new Map([
        ['weight', tensor([1, 0, 0, 0, 0, 0, 0, 1], { shape: [2, 1, 2, 2] })],
        ['bias', tensor([10, 20])],
      ]),
    );
    const y = plane.forward(tensor([1, 2, 3, 4], { shape: [1, 1, 2, 2] }));
    expect([...y.dataSync()]).toEqual([11, 24]);
    expect(
      new Embedding(3, 2, { key: key(1) }).forward(tensor([[2]], { dtype: 'i32' })).shape,
    ).toEqual([1, 1, 2]);
  });
});

describe('gradient accumulation', () => {
  beforeAll(() => setBackend(referenceBackend()));

  it('micro-batches of any cut are one batch', () => {
    fc.assert(
      fc.property(fc.subarray([1, 2, 3, 4]), (cuts) => {
        const layer = new Linear(2, 1, { key: key(4), dtype: 'f64' });
        const x = tensor(
          [
            [1, 2],
            [3, 5],
            [0, 1],
            [2, 2],
            [7, 1],
          ],
          { dtype: 'f64' },
        );
        const y = tensor([[1], [0], [2], [1], [3]], { dtype: 'f64' });
        const sum = (from: number, to: number): Tensor =>
          mseLoss(layer.forward(x.narrow(0, from, to - from)), y.narrow(0, from, to - from), {
            reduction: 'sum',
          });
        const parts = new GradAccumulator(layer.parameters());
        [...cuts, 5].forEach((end, i) => {
          const start = cuts[i - 1] ?? 0;
          const { grads } = valueAndGrad(layer.parameters(), () => sum(start, end));
          parts.add(grads, end - start);
          grads.dispose();
        });
        expect(parts.tokens).toBe(5);
        const whole = valueAndGrad(layer.parameters(), () => mseLoss(layer.forward(x), y));
        const mean = parts.average();
        for (const p of layer.parameters()) {
          expectClose(
            mean.get(p).dataSync(),
            whole.grads.get(p).dataSync(),
            [1e-12, 1e-14],
            'gradient',
          );
        }
        parts.reset();
        expect(() => parts.scale).toThrow(ValueError);
        expect(() => parts.get(layer.weight)).toThrow(ValueError);
      }),
      { seed: 2, numRuns: 10 },
    );
  });
});

describe('checkpoints', () => {
  beforeAll(() => setBackend(referenceBackend()));

  it('refuse another architecture, a cut file, and missing state, naming what to do', async () => {
    const path = join(folder(), 'model.safetensors');
    const model = new Decoder(config, key(0));
    await saveCheckpoint(path, { model, metadata: { epoch: '3' } });
    expect((await readCheckpointMetadata(path)).get('epoch')).toBe('3');
    const other = new Decoder({ ...config, heads: 1 }, key(0));
    await expect(loadCheckpoint(path, { model: other })).rejects.toThrow(
      /checkpoint: .*heads is 2 in the file and 1 here/,
    );
    const same = new Decoder({ ...config, dropout: 0.1, dtype: 'f64' }, key(1));
    await loadCheckpoint(path, { model: same });
    expect(same.model.norm.weight.dtype).toBe('f64');
    const optimizer = new AdamW(model.namedParameters());
    await expect(loadCheckpoint(path, { model, optimizer })).rejects.toThrow(CheckpointError);
    await expect(loadCheckpoint(join(folder(), 'none'), { model })).rejects.toThrow(
      CheckpointError,
    );
    writeFileSync(path, readFileSync(path).subarray(0, 200));
    await expect(loadCheckpoint(path, { model })).rejects.toThrow(SafetensorsError);
  });

  it("refuse another optimiser's state", async () => {
    const path = join(folder(), 'model.safetensors');
    const model = new Decoder(config, key(0));
    const sgd = new SGD(model.namedParameters(), { momentum: 0.9 });
    await saveCheckpoint(path, { model, optimizer: sgd });
    const adam = new AdamW(model.namedParameters());
    await expect(loadCheckpoint(path, { model, optimizer: adam })).rejects.toThrow(
      /no optimiser state 'exp_avg\//,
    );
    await loadCheckpoint(path, {
      model,
      optimizer: new SGD(model.namedParameters(), { momentum: 0.9 }),
    });
  });
});

describe('weights without their optimiser', () => {
  beforeAll(() => setBackend(referenceBackend()));

  it('are the parameters rounded to f16, load into a model, and cannot resume a training', async () => {
    const model = new Decoder(config, key(3));
    const optimizer = new AdamW(model.namedParameters());
    const full = await checkpointBytes({ model, optimizer, metadata: { arm: 'a' } });
    const bytes = weightsBytes(full, 'f16');
    const [before, after] = [parseSafetensors(full), parseSafetensors(bytes)];
    expect([...after.tensors.keys()].sort()).toEqual([...model.stateDict().keys()].sort());
    for (const [name, { dtype, data }] of after.tensors) {
      expect(dtype).toBe('F16');
      (before.tensors.get(name)!.data as Float32Array).forEach((x, i) => {
        expect(Math.abs(Number(data[i]) - x)).toBeLessThanOrEqual(
          Math.abs(x) * 2 ** -11 + 2 ** -25,
        );
      });
    }
    const other = new Decoder(config, key(4));
    expect(restoreCheckpoint(bytes, { model: other }).get('arm')).toBe('a');
    expect(await other.model.norm.weight.value.data()).toEqual(
      await model.model.norm.weight.value.data(),
    );
    expect(() => restoreCheckpoint(bytes, { model: other, optimizer })).toThrow(
      /no optimiser state/,
    );
  });

  it('are refused where a value has no finite f16', () => {
    const big = { dtype: 'F32' as const, shape: [1], data: Float32Array.of(1e6) };
    const file = serializeSafetensors(new Map([['w', big]]));
    expect(() => weightsBytes(file, 'f16')).toThrow(CheckpointError);
    expect(parseSafetensors(weightsBytes(file, 'bf16')).tensors.get('w')!.dtype).toBe('BF16');
  });
});

describe('model files', () => {
  beforeAll(() => setBackend(referenceBackend()));
  const llama = {
    model_type: 'llama',
    vocab_size: 5,
    hidden_size: 4,
    intermediate_size: 6,
    num_hidden_layers: 1,
    num_attention_heads: 2,
  };

  it.each([
    ['config.json is not an object', null],
    ["model_type 'bert' is not supported", { ...llama, model_type: 'bert' }],
    ['intermediate_size is not expand', { ...llama, model_type: 'mamba' }],
    [
      'use_conv_bias is false',
      { ...llama, model_type: 'mamba', intermediate_size: 8, use_conv_bias: false },
    ],
    ['hidden_size is missing', { ...llama, hidden_size: null }],
    ['num_hidden_layers is not a number', { ...llama, num_hidden_layers: '1' }],
    ["hidden_act is 'gelu'", { ...llama, hidden_act: 'gelu' }],
    ['attention_bias is true', { ...llama, attention_bias: true }],
    [
      "rope_scaling is of type 'yarn'",
      { ...llama, rope_scaling: { rope_type: 'yarn', factor: 2 } },
    ],
    ["activation_function is 'relu'", { model_type: 'gpt2', activation_function: 'relu' }],
  ])('%s', (message, json) => {
    expect(() => decoderConfigFromHf(json)).toThrow(CheckpointError);
    expect(() => decoderConfigFromHf(json)).toThrow(message);
  });

  it('reads folders, and says what is missing or wrong in them', async () => {
    const directory = folder();
    await expect(loadHfFolder(directory)).rejects.toThrow(
      /config\.json: cannot be read \(ENOENT\)/,
    );
    writeFileSync(join(directory, 'config.json'), '{');
    await expect(loadHfFolder(directory)).rejects.toThrow(/not JSON/);
    writeFileSync(join(directory, 'config.json'), JSON.stringify(llama));
    await expect(loadHfFolder(directory)).rejects.toThrow(/neither model\.safetensors/);
    const index = join(directory, 'model.safetensors.index.json');
    writeFileSync(
      index,
      JSON.stringify({ weight_map: { 'lm_head.weight': '../secret.safetensors' } }),
    );
    await expect(loadHfFolder(directory)).rejects.toThrow(CheckpointError);
    const model = new Decoder(decoderConfigFromHf(llama), key(2));
    const bytes = serializeSafetensors(await toHost(model.stateDict()));
    writeFileSync(join(directory, 'model.safetensors'), bytes);
    const loaded = await loadHfFolder(directory);
    expect(await toHost(loaded.stateDict())).toEqual(parseSafetensors(bytes).tensors);
  });

  it('refuses a llama2.c file whose size does not fit its header', async () => {
    const path = join(folder(), 'model.bin');
    for (const header of [
      [8, 16, 1, 2, 2, 10, 4],
      [8, 16, -1, 2, 2, 10, 4],
      [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1, 1, 1, 10, 4],
    ]) {
      writeFileSync(path, new Uint8Array(Int32Array.from([...header, 0, 0]).buffer));
      await expect(loadLlama2c(path)).rejects.toThrow(/^(checkpoint|Decoder): [^\n]+$/);
    }
    writeFileSync(path, new Uint8Array(5));
    await expect(loadLlama2c(path)).rejects.toThrow(CheckpointError);
  });
});
