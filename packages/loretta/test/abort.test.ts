/** Whatever takes long stops when it is told to, frees what it made, and leaves what it worked on as it was. */
import { cpu } from '@loretta-ts/backend-cpu';
import { type Abortable, type Backend, key, setBackend } from '@loretta-ts/core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { planCells, runCell } from '../src/compare/cells';
import { trainContrastive } from '../src/compare/contrastive';
import { classAligned, type ComparisonData } from '../src/compare/data';
import { learnedModel } from '../src/compare/learned';
import { measure } from '../src/compare/measure';
import { trainMethod } from '../src/compare/methods';
import { fitCox, simulateCohort } from '../src/compare/survival';
import { PairSampler } from '../src/data/sampler';
import { TOY_TRIPLE } from '../src/data/toy';
import { imageForm } from '../src/data/vqForms';
import { VqTokenizer } from '../src/data/vqTokenizer';
import { directionMatrix, type EvaluationContext } from '../src/evaluate/directions';
import { balanced, evaluate, trainJudges } from '../src/evaluate/evaluate';
import { type Judge, trainJudge } from '../src/evaluate/judge';
import { classify } from '../src/evaluate/logistic';
import { matching } from '../src/evaluate/matching';
import { mixture } from '../src/evaluate/mixture';
import { probe } from '../src/evaluate/probe';
import { runExperiment } from '../src/experiment/run';
import { runArm } from '../src/experiment/run-arm';
import { evaluateSkill } from '../src/experiment/skill';
import { ToyRun, toySettings } from '../src/experiment/toy-run';
import { warmUp } from '../src/experiment/warmup';
import { generateChain } from '../src/infer/chain';
import { likelihoods } from '../src/infer/conditional';
import { generateConsensus } from '../src/infer/consensus';
import { generateBlock } from '../src/infer/generate-block';
import { generateLatentBlock } from '../src/infer/generate-latents';
import { impute } from '../src/infer/impute';
import { infill } from '../src/infer/infill';
import { infillByImportance } from '../src/infer/infill-importance';
import { generateBest, rankCandidates } from '../src/infer/n-best';
import { logLikelihood } from '../src/infer/score';
import { zeroShot } from '../src/infer/zero-shot';
import { loadData } from '../src/node/load-data';
import type { Block } from '../src/sequence';
import { Trainer } from '../src/train/trainer';
import { Vocabulary } from '../src/vocabulary';
import { blocksOf } from './infer-setup';
import { smallModel } from './objectives-setup';
import { free, smallConfig, smallData, type Training, training } from './trainer-setup';

let backend: Backend;
const live = (): number => backend.memory().buffers;
const reason = new Error('enough');
const data = smallData();
const config = smallConfig();
let judges: Record<string, Judge>;
let t: Training;
let compared: ComparisonData;
let context: EvaluationContext;

beforeAll(async () => {
  backend = cpu({ threads: 1 });
  setBackend(backend);
  judges = {};
  for (const m of Object.values(data.modalities))
    judges[m.name] = await trainJudge(m, { seed: 2, steps: 20, hidden: 8 });
  t = training('commutative', data, config);
  compared = { ...balanced(data), link: 'B', fit: classAligned(data, 5, 1), risk: null };
  context = { ...t, data: balanced(data), judges, rows: 20, seed: 1 };
});

const [a, b, c] = ['A', 'B', 'C'] as const;
const of = (...names: string[]): Block[] => blocksOf(t.vocab, names, 3, 5);
const latentVocab = new Vocabulary([
  { name: 'A', vocabSize: 1, length: 3, variable: false, latent: { dim: 2 } },
  { name: 'B', vocabSize: 4, length: 3, variable: false },
]);

type Job = (options: Abortable) => Promise<unknown>;
const quick = { seed: 1, rows: 20, matchingRows: 8, guidance: 2 };
const steps = [
  { target: b, from: [a] },
  { target: c, from: [b] },
];
const jobs: Readonly<Record<string, Job>> = {
  generateBlock: (o) => generateBlock(t.model, t.vocab, of(a), b, { key: key(1), ...o }),
  generateChain: (o) => generateChain(t.model, t.vocab, of(a), steps, { key: key(1), ...o }),
  generateConsensus: (o) =>
    generateConsensus(t.model, t.vocab, of(a), steps, { chains: 2, key: key(1), ...o }),
  generateBest: (o) => generateBest(t.model, t.vocab, of(a), b, { n: 2, key: key(1), ...o }),
  rankCandidates: (o) => rankCandidates(t.model, t.vocab, of(a), of(b)[0]!, { n: 1, ...o }),
  async generateLatentBlock(o) {
    const model = smallModel(latentVocab, { latent: { dim: 2, components: 2 } });
    try {
      const given = blocksOf(latentVocab, ['B'], 3, 5);
      return await generateLatentBlock(model, latentVocab, given, 'A', { key: key(1), ...o });
    } finally {
      model.dispose();
    }
  },
  impute: (o) =>
    impute(t.model, t.vocab, t.graph, [{ A: blocksOf(t.vocab, [a], 1, 5)[0]!.ids }], {
      key: key(1),
      ...o,
    }),
  infill: (o) => infill(t.model, t.vocab, of(a), of(b)[0]!, [0, 2], { key: key(1), ...o }),
  infillByImportance: (o) =>
    infillByImportance(t.model, t.vocab, of(a), of(b)[0]!, [0, 2], { n: 2, key: key(1), ...o }),
  logLikelihood: (o) => logLikelihood(t.model, t.vocab, of(a), of(b)[0]!, 3, o),
  likelihoods: (o) => likelihoods(t.model, t.vocab, of(a), of(b)[0]!, 3, o),
  zeroShot: (o) => zeroShot(t.model, t.vocab, of(a), of(b)[0]!, o),
  trainJudge: (o) => trainJudge(data.modalities[a]!, { seed: 1, ...o }),
  trainJudges: (o) => trainJudges(data, 1, o),
  directionMatrix: (o) => directionMatrix(context, { guidance: 2, ...o }),
  matching: (o) => matching({ ...context, ...o }, a, c, 8),
  probe: (o) => probe({ ...context, ...o }, a, a, 20),
  mixture: (o) => mixture({ ...context, ...o }, t.graph, 2),
  evaluate: (o) => evaluate(t.model, t.vocab, t.graph, data, judges, { ...quick, ...o }),
  evaluateSkill: (o) => evaluateSkill(t, data, judges, config, o),
  classify: (o) =>
    classify(
      { x: new Float32Array(8), labels: Int32Array.of(0, 1), dim: 4, classes: 2 },
      new Float32Array(4),
      { seed: 1, ...o },
    ),
  fitCox: (o) => {
    const risk = Float64Array.from({ length: 20 }, (_, i) => i / 10);
    return fitCox(new Float32Array(40), 2, simulateCohort(risk, { seed: 1 }), o);
  },
  trainContrastive: (o) =>
    trainContrastive({
      vocab: t.vocab,
      sources: data.pairs.map((pair) => new PairSampler(data, pair, { batch: 4, seed: 1 })),
      config,
      ...o,
    }),
  'trainMethod, a decoder': (o) => trainMethod('loretta', compared, config, o),
  'trainMethod, encoders': (o) => trainMethod('clip', compared, config, o),
  async measure(o) {
    const model = smallModel(t.vocab);
    using learned = learnedModel(model, t.vocab);
    return await measure(learned, t.vocab, compared, {
      ...{ seed: 1, rows: 8, candidates: 4, judges },
      ...o,
    });
  },
  async runCell(o) {
    const cells = planCells({ quick: true, seeds: 1, datasets: [], ablations: true });
    return await runCell(cells[0]!, null, o);
  },
  'VqTokenizer.train': (o) => {
    const images = Array.from({ length: 4 }, (_, i) => ({
      ...{ width: 8, height: 8, channels: 1 as const },
      data: Uint8Array.from({ length: 64 }, (_, j) => (i * j) % 256),
    }));
    const form = imageForm(images[0]!);
    return VqTokenizer.train(form, images, { kind: 'vq', seed: 1, levels: 1, hidden: 4, ...o });
  },
  loadData: (o) =>
    loadData({ folder: null, texts: 'captions', link: 'text', profile: 'quick', seed: 1 }, o),
  runArm: (o) => runArm({ name: 'transitive', data, config, checkpoint: null }, judges, o),
  runExperiment: (o) => runExperiment(data, config, o),
  async warmUp(o) {
    using setup = training('commutative', data, config);
    return await warmUp(setup, data, judges, config, o);
  },
  async 'ToyRun.train'(o) {
    using run = new ToyRun(toySettings(TOY_TRIPLE, { dim: 16, steps: 50, batch: 4 }));
    await run.train(o);
  },
  async 'ToyRun.evaluate'(o) {
    using run = new ToyRun(toySettings(TOY_TRIPLE, { dim: 16, steps: 50, batch: 4 }));
    await run.evaluate(10, o);
  },
};

describe.each(Object.entries(jobs))('%s', (_, job) => {
  it('stops for a task that comes while it runs, and frees what it made', async () => {
    const before = live();
    const controller = new AbortController();
    setImmediate(() => controller.abort(reason));
    await expect(job({ signal: controller.signal })).rejects.toBe(reason);
    expect(live()).toBe(before);
    await expect(job({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(live()).toBe(before);
  });
});

describe('a trainer', () => {
  /** A trainer whose sources abort as the batch is drawn whose number is given. */
  function interrupted(of: Training, at: number): { trainer: Trainer; signal: AbortSignal } {
    const controller = new AbortController();
    let drawn = 0;
    const sources = data.pairs.map((pair, i) => {
      const sampler = new PairSampler(data, pair, { batch: 8, seed: 1000 + i });
      const { next } = sampler;
      sampler.next = () => {
        if (drawn++ === at) controller.abort(reason);
        return next.call(sampler);
      };
      return sampler;
    });
    const { model, vocab, graph } = of;
    const trainer = new Trainer({
      ...{ model, vocab, graph, sources, seed: 1, totalSteps: 4, lr: 1e-2, lrWarmup: 2 },
      ...{ minLr: 0.1, weightDecay: 0.1, clip: 1 },
    });
    return { trainer, signal: controller.signal };
  }

  it('goes on after a stop, bit for bit, wherever it came: a law', async () => {
    const whole = training('transitive', data, config);
    const undisturbed = interrupted(whole, -1).trainer;
    for await (const _ of undisturbed.run(whole.arm, { share: 0.7 }));
    const want = await undisturbed.save();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 7 }), async (at) => {
        const own = training('transitive', data, config);
        const { trainer, signal } = interrupted(own, at);
        const before = live();
        const work = async (): Promise<void> => {
          for await (const _ of trainer.run(own.arm, { share: 0.7, signal }));
        };
        // the last batch of the last step is followed by nothing that could stop
        if (at < 7) await expect(work()).rejects.toBe(reason);
        else await work().catch((error: unknown) => expect(error).toBe(reason));
        expect(live()).toBe(before);
        expect(trainer.steps).toBeLessThanOrEqual(Math.floor(at / 2) + 1);
        for await (const _ of trainer.run(own.arm, { share: 0.7 }));
        expect(Buffer.compare(await trainer.save(), want)).toBe(0);
        trainer.dispose();
        free(own);
      }),
      { seed: 3, numRuns: 8, examples: [[0], [7]] },
    );
    undisturbed.dispose();
    free(whole);
  });

  it('stands after the last report when its loop is left', async () => {
    const own = training('commutative', data, config);
    const before = live();
    for await (const { type, step, steps: all } of own.trainer.run(own.arm)) {
      expect([type, all]).toEqual(['step', config.train.steps]);
      if (step === 2) break;
    }
    expect(own.trainer.steps).toBe(3);
    expect(live()).toBe(before);
    const seen: number[] = [];
    for await (const { step } of own.trainer.run(own.arm, { to: 5 })) seen.push(step);
    expect(seen).toEqual([3, 4]);
    free(own);
  });

  it('asks for the share of each step', async () => {
    const own = training('transitive', data, config);
    const linked: number[] = [];
    const share = (step: number): number => (step < 2 ? 0 : 1);
    for await (const { transitive } of own.trainer.run(own.arm, { share, to: 4 }))
      linked.push(transitive);
    expect(linked).toEqual([0, 0, 2, 2]);
    free(own);
  });
});

describe('events', () => {
  it('tell the whole story of an arm', async () => {
    const small = smallConfig({
      train: { steps: 3, lrWarmup: 1 },
      transitive: { earliest: 1, latest: 2 },
    });
    const told: string[] = [];
    await runArm({ name: 'causal', data, config: small, checkpoint: null }, judges, {
      onEvent(event) {
        if (event.type === 'step') told.push(`step ${event.step + 1}/${event.steps}`);
        else told.push(`${event.stage} ${event.done}/${event.total}`);
        if (event.type === 'step') expect(event.loss).toBeGreaterThan(0);
      },
    });
    expect(told).toEqual([
      ...['step 1/3', 'step 2/3', 'step 3/3'],
      ...Array.from({ length: 7 }, (_, i) => `directions ${i}/6`),
      ...['unseen pairs 0/2', 'unseen pairs 1/2', 'unseen pairs 2/2'],
    ]);
  });

  it('end the job when their listener throws, and free what it made', async () => {
    const before = live();
    const listener = (): never => {
      throw reason;
    };
    await expect(trainJudges(data, 1, { onEvent: listener })).rejects.toBe(reason);
    const job = { name: 'causal', data, config, checkpoint: null } as const;
    await expect(runArm(job, judges, { onEvent: listener })).rejects.toBe(reason);
    await expect(runExperiment(data, config, { onEvent: listener })).rejects.toBe(reason);
    expect(live()).toBe(before);
  });
});

describe('a sampler', () => {
  it('is iterable, and stands behind its last batch when the loop is left', async () => {
    const make = (): PairSampler => new PairSampler(data, data.pairs[0]!, { batch: 4, seed: 1 });
    const [looped, called] = [make(), make()];
    const want = Array.from({ length: 5 }, () => called.next());
    const found: unknown[] = [];
    for (const batch of looped) {
      found.push(batch);
      if (found.length === 3) break;
    }
    expect(looped.step).toBe(3);
    for await (const batch of looped) {
      found.push(batch);
      if (found.length === 5) break;
    }
    expect(found).toEqual(want);
  });
});
