/** Memory that is refused: by a limit, by the system, or because the engine has no such thing. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import {
  type Backend,
  BackendError,
  type BackendInfo,
  concat,
  full,
  type HostRandom,
  key,
  matmul,
  normal,
  setBackend,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import { AdamW, checkpointBytes, crossEntropyLoss, Decoder } from '@loretta-ts/nn';
import { commandOf, runChild } from '../child';
import { eachCase, must, pick, type Row } from '../row';

/** Ops with a result of `[m, n]`. */
const OPS: Readonly<Record<string, (m: number, n: number) => Tensor>> = {
  fill: (m, n) => full([m, n], 1),
  randomUniform: (m, n) => normal(key(0), [m, n]),
  matmul: (m, n) => matmul(full([m, 1], 1), full([1, n], 1)),
  add: (m, n) => full([m, 1], 1).add(full([1, n], 1)),
  concat: (m, n) => concat([full([m, n - 1], 1), full([m, 1], 1)], 1),
  tensor: (m, n) => tensor(new Float32Array(m * n), { shape: [m, n] }),
};

/** Throws unless the error says what did not fit. */
function mustName(error: unknown): void {
  must(error instanceof BackendError, () => `not a BackendError: ${String(error)}`);
  const { message, wanted } = error as BackendError;
  must(wanted !== null, () => `not of memory: ${message}`);
  const { op, shape, bytes } = wanted!;
  must(
    message.includes(`${op}: `) &&
      message.includes(`[${shape.join(',')}]`) &&
      message.includes(`${bytes} bytes`),
    () => `${op} of [${shape}], ${bytes} bytes, is not named: ${message}`,
  );
  must(
    bytes >= shape.reduce((n, d) => n * d, 1),
    () => `[${shape}] has ${bytes} bytes: ${message}`,
  );
}

function limited(random: HostRandom): Backend {
  const maxBytes = (8 + random.int(16)) * 2 ** 20;
  const simd = pick(random, ['simd', 'none'] as const);
  return cpu({ simd, threads: 1 + random.int(2), maxBytes });
}

function caught(fn: () => void): unknown {
  try {
    fn();
    return null;
  } catch (error) {
    return error;
  }
}

/** Tensors until there is no more room. */
async function inOps(random: HostRandom): Promise<string> {
  const backend = limited(random);
  setBackend(backend);
  const held: { readonly t: Tensor; readonly value: number }[] = [];
  for (let refused = 0; refused < 3; ) {
    const [m, n] = [1 + random.int(1500), 2 + random.int(1500)];
    const before = backend.memory();
    const [name, make] = pick(random, Object.entries(OPS));
    const error = caught(() => {
      const t = tidy(() => make(m, n));
      const value = held.length;
      t.dispose();
      held.push({ t: full([m], value), value });
      held.push({ t: full([m, n], value), value });
    });
    if (error === null) continue;
    refused++;
    mustName(error);
    const now = backend.memory();
    const extra = now.buffers - before.buffers;
    // one of the two that are held may have fitted
    must(
      extra === 0 || (extra === 1 && held.at(-1)!.t.size === m),
      () => `${name} leaves ${extra}`,
    );
    const at = held.findIndex(({ t, value }) => t.dataSync().some((x) => x !== value));
    must(at === -1, () => `tensor ${at} changed`);
    if (held.length > 0) {
      // what is given back can be had again
      const [{ t, value }] = held.splice(random.int(held.length), 1) as [(typeof held)[number]];
      const { shape } = t;
      t.dispose();
      held.push({ t: full(shape, value), value });
    }
  }
  for (const { t } of held) t.dispose();
  must(backend.memory().buffers === 0, () => `${backend.memory().buffers} buffers are left`);
  await backend.dispose();
  return 'ops';
}

/** A batch that does not fit: the step is over, the weights are as they were, and a smaller batch trains. */
async function inTraining(random: HostRandom): Promise<string> {
  const backend = cpu({ simd: 'simd', threads: 1, maxBytes: 12 * 2 ** 20 });
  setBackend(backend);
  const config = { vocab: 32, dim: 16, layers: 2, heads: 2, maxLength: 64 };
  const model = new Decoder(config, key(random.int(1000)));
  const optimizer = new AdamW(model.namedParameters());
  const step = (b: number, t: number): void =>
    tidy(() => {
      const ids = tensor(
        Int32Array.from({ length: b * t }, () => random.int(32)),
        { shape: [b, t] },
      );
      const { grads } = valueAndGrad(model.parameters(), () =>
        crossEntropyLoss(model.logits(model.forward(ids)), ids),
      );
      optimizer.step(grads);
      grads.dispose();
    });
  step(2, 8);
  const before = await checkpointBytes({ model, optimizer });
  const { buffers } = backend.memory();
  const rows = 500 + random.int(2000);
  const error = caught(() => step(rows, 16 + random.int(48)));
  mustName(error);
  must(
    backend.memory().buffers === buffers,
    () => `${backend.memory().buffers - buffers} are left`,
  );
  must(
    Buffer.compare(before, await checkpointBytes({ model, optimizer })) === 0,
    () => 'weights or moments changed',
  );
  step(2, 8);
  const tooLarge = { ...config, dim: 512, layers: 8 };
  mustName(caught(() => void new Decoder(tooLarge, key(1))));
  must(backend.memory().buffers === buffers, () => 'a model that does not fit leaves its layers');
  for (const each of [optimizer, model]) each.dispose();
  await backend.dispose();
  return 'training';
}

/** What is taken away, and how the fallback tells it. */
const WITHOUT: readonly (readonly [string, Partial<BackendInfo>, RegExp])[] = [
  [
    'shared arrays',
    { executor: 'wasm-simd', threads: 1 },
    /one thread: there is no SharedArrayBuffer/,
  ],
  ['WebAssembly', { executor: 'reference', threads: 1 }, /the engine has no WebAssembly/],
  [
    'compilation',
    { executor: 'reference', threads: 1 },
    /no WebAssembly: it was refused \(refused by/,
  ],
  [
    'address space',
    { executor: 'reference', threads: 1 },
    /one thread: shared memory was refused \(.*; no WebAssembly: its memory was refused/,
  ],
];

interface Told {
  readonly info: BackendInfo;
  readonly value: number;
  readonly gradient: readonly number[];
}

async function inAProcess(random: HostRandom): Promise<string> {
  const [missing, info, reason] = pick(random, WITHOUT);
  const command = commandOf('without.ts', [missing]);
  // too little for the guard regions of a WebAssembly memory
  const limit = ['/bin/sh', '-c', 'ulimit -v 5000000; exec "$@"', 'sh'];
  const ended = await runChild(missing === 'address space' ? [...limit, ...command] : command);
  must(ended.code === 0, () => `${missing}: ended with ${ended.code}: ${ended.err}`);
  const told = JSON.parse(ended.out) as Told;
  for (const [field, value] of Object.entries(info)) {
    const found = told.info[field as keyof BackendInfo];
    must(found === value, () => `${missing}: ${field} is ${found}, not ${value}`);
  }
  must(
    reason.test(told.info.fallbackReason ?? ''),
    () => `${missing} is not told: ${told.info.fallbackReason}`,
  );
  const backend = referenceBackend();
  setBackend(backend);
  const w = tensor([
    [1, 2],
    [3, 4],
  ]);
  const { value, grads } = valueAndGrad([w], () => w.matmul(w).tanh().sum());
  const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-5 * (1 + Math.abs(b));
  const want = grads.get(w).dataSync();
  must(
    near(told.value, value.itemSync()) && told.gradient.every((x, i) => near(x, want[i]!)),
    () => `${missing}: ${told.value}, ${told.gradient}`,
  );
  return missing;
}

export const memoryLimit: Row = {
  name: 'memory-limit',
  holds:
    'memory that is refused is a typed error that names shape and bytes, or a fallback that is told',
  ci: 20,
  release: 200,
  async check(runs, seed, report) {
    const counts = new Map<string, number>();
    await eachCase(runs, seed, report, async (random, index) => {
      const kind = await [inOps, inTraining, inAProcess, inOps][index % 4]!(random);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    });
    for (const [kind, count] of counts) report.note(kind, count);
  },
};
