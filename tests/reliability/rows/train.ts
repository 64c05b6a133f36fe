/**
 * The child of the rows determinism and resume: trains for some steps, from a checkpoint where one is given, and prints
 * what came of it as JSON.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { Word } from '../../../packages/backend-cpu/src/threads/control';
import { makeTraining, type Plan } from '../trainings';

/** What it prints. */
export interface Trained {
  /** What each step measured. */
  readonly reports: readonly (readonly number[])[];
  /** SHA-256 of weights, moments and step. */
  readonly hash: string;
  /** Chunks of work that were cut for threads, and those that this thread did itself. */
  readonly chunks: number;
  readonly own: number;
}

const [plan = '', threads = '', steps = '', checkpoint = ''] = process.argv.slice(2);

// workers have an Atomics of their own: this one sees every job, and the chunks that the main thread claims
let [chunks, own] = [0, 0];
const { add } = Atomics;
Atomics.add = ((words: Int32Array, index: number, value: number): number => {
  const before = add(words, index, value);
  if (index === Word.job) chunks += words[Word.chunks]!;
  if (index === Word.next && before < words[Word.chunks]!) own++;
  return before;
}) as typeof Atomics.add;

const backend = cpu({ threads: Number(threads) });
if (backend.info().threads !== Number(threads)) throw new Error(JSON.stringify(backend.info()));
setBackend(backend);
const training = makeTraining(JSON.parse(plan) as Plan);
if (checkpoint !== '') training.restore(readFileSync(checkpoint));
const reports: (readonly number[])[] = [];
for (let i = 0; i < Number(steps); i++) reports.push(await training.step());
const hash = createHash('sha256')
  .update(await training.save())
  .digest('hex');
const trained: Trained = { reports, hash, chunks, own };
console.log(JSON.stringify(trained));
