/**
 * A process of the row soak: goes on from the checkpoint that is there, trains, evaluates, generates and saves round by
 * round, overcomes the faults it was told of, and dies where it was told to.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { collectGarbage } from '../garbage';
import { must } from '../row';
import { DYING, type Fault, type Life, type Moment, type RoundReport } from '../soak-plan';
import { startSoak, STEPS } from '../soak-training';
import { die, onWriteSteps, type WriteStep } from '../write-faults';

const life = JSON.parse(process.argv[2] ?? '') as Life;
const { seed, rounds, path, faults, kill } = life;
const backend = cpu({ threads: 1 });
setBackend(backend);
const soak = startSoak(seed, rounds * STEPS);
const { trainer } = soak;

/** The step of a write that is refused now. */
let refused: Fault | null = null;
let doomed = false;
onWriteSteps((step: WriteStep) => {
  if (doomed && kill?.moment === step) return 'die';
  return refused === step ? 'refuse' : null;
});

const dieAt = (moment: Moment): void => {
  if (doomed && kill?.moment === moment) die();
};

async function hash(): Promise<string> {
  return createHash('sha256')
    .update(await trainer.save())
    .digest('hex');
}

/** Does what must fail, with this error, and change nothing of the training nor of its files. */
async function mustFail(name: string, task: () => Promise<unknown>): Promise<void> {
  const files = readdirSync(dirname(path));
  const before = [await hash(), backend.memory().buffers, fileHash()].join();
  const error: unknown = await task().then(
    () => null,
    (e: unknown) => e,
  );
  must(error instanceof Error && error.name === name, () => `${name} did not come: ${error}`);
  const after = [await hash(), backend.memory().buffers, fileHash()].join();
  must(after === before, () => `${error} changed something: ${before} became ${after}`);
  // what an earlier process left there is for the next save
  const left = readdirSync(dirname(path)).filter((file) => !files.includes(file));
  must(left.length === 0, () => `${error} left ${left}`);
}

function fileHash(): string {
  return existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'none';
}

/** The fault before the last step of a round, or when it is saved. */
async function meet(fault: Fault): Promise<void> {
  switch (fault) {
    case 'not a number':
    case 'too large':
      soak.spoilNext(fault);
      return mustFail(fault === 'too large' ? 'NonFiniteError' : 'ValueError', () => soak.step());
    case 'aborted':
      return mustFail('AbortError', () => {
        const controller = new AbortController();
        const generating = soak.generate(controller.signal);
        controller.abort();
        return generating;
      });
    case 'cut checkpoint':
      return mustFail('SafetensorsError', async () => {
        const bytes = await trainer.save();
        trainer.restore(bytes.subarray(0, bytes.length - 4));
      });
    case 'no folder':
      return mustFail('CheckpointError', () => save(join(dirname(path), 'none', 'model')));
    default:
      refused = fault;
      await mustFail('CheckpointError', () => save(path));
      refused = null;
  }
}

async function save(to: string): Promise<void> {
  await writeFileAtomic(to, await trainer.save());
}

async function runRound(round: number): Promise<RoundReport> {
  doomed = kill !== null && round >= kill.round;
  if (doomed && kill?.moment === 'any') console.log(DYING);
  const steps: (readonly number[])[] = [];
  while (steps.length < STEPS) {
    dieAt(steps.length);
    const fault = faults[round] ?? null;
    if (fault !== null && steps.length === STEPS - 1) await meet(fault);
    steps.push(await soak.step());
  }
  dieAt('evaluate');
  const nats = await soak.evaluate();
  dieAt('generate');
  const generated = await soak.generate();
  await save(path);
  collectGarbage();
  const { buffers, bytes } = backend.memory();
  return {
    ...{ round, steps, nats, generated, fault: faults[round] ?? null },
    ...{ rss: process.memoryUsage.rss(), buffers, bytes },
  };
}

if (existsSync(path)) trainer.restore(readFileSync(path));
must(trainer.steps % STEPS === 0, () => `the checkpoint is of step ${trainer.steps}`);
for (let round = trainer.steps / STEPS; round < rounds; round++) {
  console.log(JSON.stringify(await runRound(round)));
}
