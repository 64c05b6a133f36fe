/** Whole models in Hugging Face's layout: forward, loss, gradients of every weight; greedy decoding. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tensor } from '@loretta-ts/core';
import * as core from '@loretta-ts/core';
import * as nn from '@loretta-ts/nn';
import { loadHfFolder } from '@loretta-ts/nn/node';
import type { Case, Group, Tolerances } from '../format';
import { valuesOf } from '../format';
import { readVectors, type Vector } from '../safetensors';
import type { Verdict } from '../verdict';
import { toTensor } from './tensors';

/** The model of a folder; its weights live until it is disposed of. */
async function load(folder: string, dtype: core.FloatDType): Promise<nn.Decoder> {
  return await loadHfFolder(folder, { dtype });
}

/** Mean cross-entropy of the next token over labels that are not -100. */
function nextTokenLoss(logits: Tensor, labels: Tensor): Tensor {
  const t = labels.shape[1]!;
  return nn.crossEntropyLoss(core.narrow(logits, 1, 0, t - 1), core.narrow(labels, 1, 1, t - 1));
}

interface ModelTolerances {
  readonly logits: Tolerances;
  readonly loss: Tolerances;
  readonly hidden: Tolerances;
  readonly grads: Readonly<Record<string, Tolerances>>;
}

export async function modelCase(group: Group, c: Case, verdict: Verdict): Promise<void> {
  const { precision: dtype } = verdict;
  const files = c.raw['files'] as Readonly<Record<string, string>>;
  const tol = c.raw['tol'] as ModelTolerances;
  const io = readVectors(join(group.dir, files['io']!));
  const config: unknown = JSON.parse(readFileSync(join(group.dir, files['config']!), 'utf8'));
  const model = await load(join(group.dir, String(c.raw['dir'])), dtype);
  using s = core.scope();
  try {
    if (c.raw['parameters'] !== undefined) {
      const [got, want] = [model.parameterCount, Number(c.raw['parameters'])];
      verdict.that(got === want, `${got} parameters, want ${want}`);
    }
    const visible = io.get('attention_mask');
    const options = s.run(() =>
      visible === undefined ? {} : { attentionMask: toTensor(visible, 'bool') },
    );
    const [ids, labels] = s.run(() => [
      toTensor(io.get('input_ids')!, 'i32'),
      toTensor(io.get('labels')!, 'i32'),
    ]);
    const { value, grads, aux } = s.run(() =>
      core.valueAndGrad(model.parameters(), () => {
        const states = model.hiddenStates(ids, options);
        const logits = model.logits(states.at(-1)!);
        return [nextTokenLoss(logits, labels), { states, logits }] as const;
      }),
    );
    const compare = async (name: string, t: Tensor, want: Vector, bound: Tolerances) => {
      const got = { shape: t.shape, data: await t.data() };
      verdict.values(name, shown(got, visible), shown(want, visible), bound);
    };
    await compare('logits', aux.logits, io.get('logits')!, tol.logits);
    for (const [i, state] of aux.states.entries()) {
      await compare(`hidden.${i}`, state, io.get(`hidden.${i}`)!, tol.hidden);
    }
    verdict.that(
      !io.has(`hidden.${aux.states.length}`),
      `there are ${aux.states.length} hidden states, the folder has more`,
    );
    const loss = { shape: [], data: Float64Array.of(Number(c.raw['loss'])) };
    verdict.values('loss', { shape: value.shape, data: await value.data() }, loss, tol.loss);

    const own = new Map(model.namedParameters().map(([name, p]) => [name, grads.get(p)]));
    const host = nn.toHfTensors(config, await nn.toHost(own));
    for (const [name, want] of readVectors(join(group.dir, files['grads']!))) {
      const got = host.get(name);
      if (got === undefined) verdict.that(false, `no gradient of ${name}`);
      else {
        const data = got.data as ArrayLike<number>;
        verdict.values(`grad of ${name}`, { shape: got.shape, data }, want, tol.grads[name]);
      }
    }
  } finally {
    model.dispose();
  }
}

/** Only rows `[b, t, ...]` that the attention mask shows; the others are undefined. */
function shown(
  t: Pick<Vector, 'shape'> & { readonly data: ArrayLike<number> },
  mask: Vector | undefined,
): Pick<Vector, 'shape' | 'data'> {
  const data = Float64Array.from(t.data);
  if (mask === undefined) return { shape: t.shape, data };
  const row = t.shape[2]!;
  return { shape: t.shape, data: data.map((x, i) => (mask.data[Math.floor(i / row)] ? x : 0)) };
}

/** Greedy decoding with a cache, and again by the whole prefix without one. */
export async function decodeCase(group: Group, c: Case, verdict: Verdict): Promise<void> {
  const { precision: dtype } = verdict;
  const entry = (list: typeof c.inputs, name: string) => list.find((e) => e.name === name)!;
  const wantIds = entry(c.outputs, 'ids');
  const wantLogits = entry(c.outputs, 'step_logits');
  const model = await load(join(group.dir, String(c.raw['model'])), dtype);
  using s = core.scope();
  try {
    const prompt = s.run(() => toTensor(valuesOf(group, entry(c.inputs, 'prompt')), 'i32'));
    const from = prompt.shape[1]!;
    const steps = Number(c.attrs['max_new_tokens']);
    const result = await nn.generate(model, prompt, {
      maxNewTokens: steps,
      temperature: 0,
      logits: true,
    });
    using ids = result.ids;
    using logits = result.logits!;
    const compare = async (name: string, t: Tensor, want: typeof wantIds) => {
      const got = { shape: t.shape, data: await t.data() };
      verdict.values(name, got, valuesOf(group, want), want.tol);
    };
    await compare('ids', ids, wantIds);
    await compare('step_logits with a cache', logits, wantLogits);
    const whole = s.run(() => {
      const all = toTensor(valuesOf(group, wantIds), 'i32');
      const hidden = model.forward(core.narrow(all, 1, 0, from + steps - 1));
      return model.logits(core.narrow(hidden, 1, from - 1, steps));
    });
    await compare('step_logits of the whole prefix', whole, wantLogits);
  } finally {
    model.dispose();
  }
}
