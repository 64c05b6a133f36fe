/** What the compiler accepts and refuses. `tsc` checks the lines; the functions here are never called. */
import type { Abortable } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import { describe, expectTypeOf, it } from 'vitest';
import {
  type Arm,
  type ArmEvent,
  type ArmName,
  type ArmRunner,
  causal,
  DataError,
  type EvaluateEvent,
  type ExperimentConfig,
  type ExperimentEvent,
  generateBlock,
  generateConsensus,
  impute,
  type JobOptions,
  type Judge,
  type LatentRun,
  logLikelihood,
  makeArm,
  masked,
  type PairBatch,
  type PairSampler,
  type PairSource,
  runExperiment,
  type Setup,
  type StageEvent,
  type StepEvent,
  ToyRun,
  type ToySampler,
  type TrainData,
  type TrainEvent,
  type Trainer,
  toySettings,
  TOY_TRIPLE,
  transitive,
  type Vocabulary,
  type VqTokenizer,
} from '../src';
import { type loadData, workerRunner } from '../src/node';

type Known = { readonly model: Decoder; readonly vocab: Vocabulary; readonly data: TrainData };
const checked = (_: (known: Known) => void): void => undefined;

describe('events', () => {
  it('narrow by their type', () => {
    checked(({ data }) => {
      void runExperiment(data, {} as ExperimentConfig, {
        onEvent(event) {
          expectTypeOf(event.job).toEqualTypeOf<'warm-up' | ArmName>();
          // @ts-expect-error: stages have no loss
          void event.loss;
          if (event.type === 'step') {
            expectTypeOf(event.loss).toBeNumber();
            // @ts-expect-error: steps have no stage
            void event.stage;
          } else {
            expectTypeOf(event.stage).toEqualTypeOf<
              'judges' | 'directions' | 'unseen pairs' | 'mixtures'
            >();
            expectTypeOf(event.done).toBeNumber();
          }
          // @ts-expect-error: there is no such event
          if (event.type === 'epoch') return;
        },
      });
      // @ts-expect-error: positions have no names
      void runExperiment(data, {} as ExperimentConfig, { onEvent: (_job: string, n: number) => n });
      // @ts-expect-error
      void runExperiment(data, {} as ExperimentConfig, { onProgress: () => undefined });
    });
    expectTypeOf<ArmEvent['type']>().toEqualTypeOf<'step' | 'stage'>();
    expectTypeOf<ExperimentEvent>().toExtend<ArmEvent>();
    expectTypeOf<EvaluateEvent>().toExtend<StageEvent>();
    expectTypeOf<Extract<ArmEvent, { type: 'step' }>>().toEqualTypeOf<StepEvent>();
  });

  it('of a training have the whole report', () => {
    expectTypeOf<TrainEvent>().toExtend<StepEvent>();
    expectTypeOf<Trainer['run']>().returns.toExtend<AsyncIterable<TrainEvent>>();
    checked(() => {
      const run = new ToyRun(toySettings(TOY_TRIPLE, { arm: 'transitive' }));
      void run.train({ to: 5, onEvent: ({ step, loss, bits }) => [step, loss, bits['A']] });
      // @ts-expect-error: an options object
      void run.train(5);
      // @ts-expect-error
      void run.train({ onEvent: ({ epoch }) => epoch });
    });
  });

  it('and signals may be left out or undefined in every job', () => {
    expectTypeOf({}).toExtend<JobOptions<StepEvent>>();
    expectTypeOf<{ signal: undefined; onEvent: undefined }>().toExtend<JobOptions<StepEvent>>();
    expectTypeOf<Parameters<typeof loadData>[1]>().toExtend<JobOptions<StageEvent> | undefined>();
    expectTypeOf<Parameters<ArmRunner['run']>[1]>().toExtend<Abortable | undefined>();
    expectTypeOf<NonNullable<Parameters<typeof logLikelihood>[5]>>().toExtend<Abortable>();
    expectTypeOf(workerRunner).returns.toEqualTypeOf<ArmRunner>();
  });
});

describe('names', () => {
  it('of arms and objectives', () => {
    expectTypeOf(makeArm).returns.toEqualTypeOf<Arm>();
    checked(() => {
      // @ts-expect-error
      toySettings(TOY_TRIPLE, { arm: 'transitiv' });
      // @ts-expect-error
      toySettings(TOY_TRIPLE, { transitive: { lossOn: 'generated' } });
      // @ts-expect-error
      toySettings(TOY_TRIPLE, { positions: ['rotary'] });
      // @ts-expect-error
      transitive({ lossOn: 'both' });
      // @ts-expect-error
      causal({ order: 'AB' });
      // @ts-expect-error
      masked(causal({ order: ['A'] }), { probability: 'half' });
      // @ts-expect-error
      if (new DataError('config', 'here', 'what').kind === 'typo') return;
    });
  });

  it('of ways to generate', () => {
    checked(({ model, vocab }) => {
      void generateBlock(model, vocab, [], 'A', {
        rows: 1,
        guidance: [{ given: ['B'], scale: 2 }],
      });
      // @ts-expect-error
      void generateBlock(model, vocab, [], 'A', { rows: 1, guidance: { scale: 2 } });
      // @ts-expect-error
      void generateBlock(model, vocab, [], 'A', { topk: 3 });
      // @ts-expect-error
      void impute(model, vocab, {} as never, [], { route: 'shortest' });
      // @ts-expect-error
      void impute(model, vocab, {} as never, [], { pick: 'first' });
      // @ts-expect-error: a step names what it generates
      void generateConsensus(model, vocab, [], [{ from: [] }], { chains: 2 });
      // @ts-expect-error
      void logLikelihood(model, vocab, [], { modality: 'A', ids: [] }, 1);
      // @ts-expect-error
      void logLikelihood(model, vocab, [], {} as never, 1, { over: 'everything' });
    });
  });
});

it('samplers are streams of batches', () => {
  expectTypeOf<PairSource>().toExtend<Iterable<PairBatch>>();
  expectTypeOf<PairSampler>().toExtend<PairSource>();
  expectTypeOf<ToySampler>().toExtend<PairSource>();
});

it('everything that owns tensors is disposable', () => {
  expectTypeOf<Trainer>().toExtend<Disposable>();
  expectTypeOf<Judge>().toExtend<Disposable>();
  expectTypeOf<ToyRun>().toExtend<Disposable>();
  expectTypeOf<LatentRun>().toExtend<Disposable>();
  expectTypeOf<Setup>().toExtend<Disposable>();
  expectTypeOf<VqTokenizer<unknown>>().toExtend<Disposable>();
});
