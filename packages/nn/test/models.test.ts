/** Whole models against PyTorch in float64: logits, hidden states, loss, every gradient, greedy decoding. */
import { readFileSync } from 'node:fs';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { setBackend, tensor, tidy, valueAndGrad } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { crossEntropyLoss, type Decoder, generate, toHfTensors, toHost } from '../src/index';
import { loadHfFolder, loadSafetensors } from '../src/node';
import { type Case, expectClose, hasShared, loadGroup, numbersOf, sharedPath } from './shared';

type Tol = { readonly f64: readonly [number, number] };

interface ModelCase extends Case {
  readonly dir: string;
  readonly tol: {
    readonly logits: Tol;
    readonly loss: Tol;
    readonly hidden: Tol;
    readonly grads: Record<string, Tol>;
  };
}

const groups = hasShared
  ? {
      models: loadGroup('models').cases as readonly Case[] as ModelCase[],
      decode: loadGroup('decode').cases,
    }
  : { models: [], decode: [] };

describe.runIf(hasShared)('models of Hugging Face', () => {
  beforeAll(() => setBackend(referenceBackend()));

  it.each(groups.models.map((c) => [c['name'] as string, c] as const))('%s', async (_, c) => {
    const directory = sharedPath(`conformance/${c.dir}`);
    const { tensors: io } = await loadSafetensors(`${directory}/io.safetensors`);
    const { tensors: goldenGrads } = await loadSafetensors(`${directory}/grads.safetensors`);
    const model = await loadHfFolder(directory, { dtype: 'f64' });
    const shape = io.get('input_ids')!.shape;
    const [b, t] = shape as [number, number];
    const ids = tensor(numbersOf(io.get('input_ids')!), { shape, dtype: 'i32' });
    const maskHost = io.get('attention_mask');
    const seen = maskHost === undefined ? null : numbersOf(maskHost);
    const options = seen === null ? {} : { attentionMask: tensor(seen, { shape, dtype: 'bool' }) };

    const states = tidy(() => model.hiddenStates(ids, options));
    for (const [i, state] of states.entries()) {
      const golden = numbersOf(io.get(`hidden.${i}`)!);
      compareReal(state.dataSync(), golden, seen, c.tol.hidden.f64, `hidden.${i}`);
    }
    expect(io.has(`hidden.${states.length}`)).toBe(false);

    const labels = numbersOf(io.get('labels')!);
    const targets = tensor(
      labels.map((_, i) => (i % t === t - 1 ? -100 : labels[i + 1]!)),
      { shape: [b, t], dtype: 'i32' },
    );
    const { value, grads, aux } = valueAndGrad(model.parameters(), () => {
      const logits = model.logits(model.forward(ids, options));
      return [crossEntropyLoss(logits, targets), logits] as const;
    });
    compareReal(aux.dataSync(), numbersOf(io.get('logits')!), seen, c.tol.logits.f64, 'logits');
    expectClose([value.itemSync()], numbersOf(io.get('loss')!), c.tol.loss.f64, 'loss');

    const own = new Map(model.namedParameters().map(([name, p]) => [name, grads.get(p)]));
    const config: unknown = JSON.parse(readFileSync(`${directory}/config.json`, 'utf8'));
    const named = toHfTensors(config, await toHost(own));
    expect([...named.keys()].sort()).toEqual([...goldenGrads.keys()].sort());
    for (const [name, g] of goldenGrads) {
      expect(named.get(name)!.shape).toEqual(g.shape);
      expectClose(
        numbersOf(named.get(name)!),
        numbersOf(g),
        c.tol.grads[name]!.f64,
        `gradient of ${name}`,
      );
    }
  });

  it.each(groups.decode.map((c) => [c['model'] as string, c] as const))(
    'greedy decoding of %s, cached and not',
    async (folder, c) => {
      const g = loadGroup('decode');
      const model = await loadHfFolder(sharedPath(`conformance/${folder}`), { dtype: 'f64' });
      const prompt = g.input(c, 'prompt');
      const [ids, stepLogits] = c.outputs as [Case['outputs'][0], Case['outputs'][0]];
      const steps = c.attrs['max_new_tokens'] as number;
      const out = await generate(model, prompt, {
        maxNewTokens: steps,
        temperature: 0,
        logits: true,
      });
      expect([...out.ids.dataSync()]).toEqual(numbersOf(g.host(ids.tensor)));
      const golden = numbersOf(g.host(stepLogits.tensor));
      expectClose(out.logits!.dataSync(), golden, stepLogits.tol.f64, 'cached logits');
      expectClose(
        uncached(model, out.ids.dataSync(), ids.shape, steps),
        golden,
        stepLogits.tol.f64,
        'full logits',
      );
    },
  );
});

/** Logits of the steps from one forward pass over everything. */
function uncached(
  model: Decoder,
  ids: ArrayLike<number>,
  shape: readonly number[],
  steps: number,
): ArrayLike<number> {
  return tidy(() => {
    const all = tensor(Array.from(ids), { shape, dtype: 'i32' });
    const hidden = model.forward(all);
    return model.logits(hidden.narrow(1, shape[1]! - steps - 1, steps));
  }).dataSync();
}

/** Compares at real tokens only. */
function compareReal(
  got: ArrayLike<number>,
  want: readonly number[],
  mask: readonly number[] | null,
  tol: readonly [number, number],
  what: string,
): void {
  if (mask === null) {
    expectClose(got, want, tol, what);
    return;
  }
  const width = want.length / mask.length;
  const real = (_: number, i: number): boolean => mask[Math.floor(i / width)] === 1;
  expectClose(Array.from(got).filter(real), want.filter(real), tol, what);
}
