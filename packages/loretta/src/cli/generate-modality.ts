/** `loretta generate` with a run: one modality from any others. */
import { resolve } from 'node:path';
import { key } from '@loretta-ts/core';
import type { ArgsDef } from 'citty';
import { DataError } from '../data/errors';
import { type ModalityData, tokensAt } from '../data/modality';
import type { RawSample } from '../data/source';
import type { SvlMnist, SvlName } from '../data/svlMnist';
import { generateConsensus } from '../infer/consensus';
import type { GenerateBlockOptions } from '../infer/generate-block';
import { generateBest } from '../infer/n-best';
import { loadArm, type LoadedArm } from '../node/load-arm';
import { readRun } from '../node/run-folder';
import type { Block } from '../sequence';
import { fromBlock } from '../train/data';
import { useBackend } from './backend';
import { UsageError } from './errors';
import { count, integer, oneOf } from './options';
import { onData, progress } from './progress';
import { NAMES, readSample, sampleBlock, writeSample } from './samples';
import { filtersOf, guidanceOf, namesOf, type SamplingArgs } from './sampling';

/** Options of `loretta generate` that belong to a run. */
export const armArgs = {
  run: {
    type: 'string',
    valueHint: 'DIR',
    description: 'Folder of the run (default: loretta-out)',
  },
  arm: { type: 'string', valueHint: 'NAME', description: 'Arm of the run (default: transitive)' },
  from: {
    type: 'string',
    valueHint: 'MODALITY',
    description:
      'Modalities given, in this order: speech, or speech,text, or none (default: speech)',
  },
  to: { type: 'string', valueHint: 'MODALITY', description: 'Modality wanted (default: image)' },
  input: {
    type: 'string',
    valueHint: 'FILE',
    description:
      'Of the one modality given: a WAV file, a PNG file of the size of the training images, or text',
  },
  image: { type: 'string', valueHint: 'FILE', description: 'PNG file, where --from has image' },
  speech: { type: 'string', valueHint: 'FILE', description: 'WAV file, where --from has speech' },
  text: { type: 'string', description: 'Words, where --from has text' },
  row: {
    type: 'string',
    valueHint: 'N',
    description: 'Test sample instead; of several modalities, the aligned test row',
  },
  via: {
    type: 'string',
    valueHint: 'MODALITY',
    description: 'Modalities to generate on the way, each from the last',
  },
  chains: {
    type: 'string',
    valueHint: 'N',
    description: 'Chains that decide together (default: 1)',
  },
  best: {
    type: 'string',
    valueHint: 'N',
    description: 'Candidates, of which the best is taken (default: 1)',
  },
  lambda: {
    type: 'string',
    description: 'Rank by log p(x|c) - lambda log p(x) (default: 1 of --best, 0 of --chains)',
  },
  out: {
    type: 'string',
    valueHint: 'FILE',
    description: 'File for an image (PNG) or speech (WAV)',
  },
  guidance: {
    type: 'string',
    valueHint: 'G',
    description:
      'Classifier-free guidance, 1 is none; of several conditions speech:2,text:1.5 (default: 3)',
  },
} as const satisfies ArgsDef;

type Args = SamplingArgs & { readonly [K in keyof typeof armArgs]?: string | undefined } & {
  readonly json: boolean;
};

/** What is asked, checked before anything is loaded. */
interface Question {
  readonly from: readonly SvlName[];
  readonly to: SvlName;
  readonly via: readonly SvlName[];
  /** Value of each modality given; null for a test row. */
  readonly inputs: readonly string[] | null;
  readonly row: number | null;
  readonly chains: number;
  readonly best: number;
  readonly lambda: number | null;
}

/** @throws UsageError */
function questionOf(args: Args): Question {
  const names = args.from ?? 'speech';
  const from = names === 'none' ? [] : namesOf('from', names);
  const to = oneOf('to', args.to ?? 'image', NAMES);
  const via = args.via === undefined ? [] : namesOf('via', args.via);
  if (from.includes(to)) throw new UsageError(`--from and --to are both ${to}`);
  const twice = via.find((name) => name === to || from.includes(name));
  if (twice !== undefined) throw new UsageError(`--via ${twice}: it is given or wanted already`);
  const named = NAMES.filter((name) => args[name] !== undefined);
  const stray = named.find((name) => !from.includes(name));
  if (stray !== undefined) throw new UsageError(`--${stray}: --from does not name it`);
  const row = args.row === undefined ? null : integer('row', args.row);
  const [chains, best] = [count('chains', args.chains ?? '1'), count('best', args.best ?? '1')];
  if (chains > 1 && best > 1) throw new UsageError('give either --chains or --best');
  if (best > 1 && via.length > 0) throw new UsageError('--best has no --via: use --chains');
  const lambda = args.lambda === undefined ? null : Number(args.lambda);
  if (lambda !== null && !Number.isFinite(lambda))
    throw new UsageError(`--lambda is '${args.lambda}': give a number`);
  const rest = { from, to, via, row, chains, best, lambda };
  if (from.length === 0) {
    if (args.input !== undefined || row !== null)
      throw new UsageError('--from none has no --input and no --row');
    return { ...rest, inputs: [] };
  }
  const values = from.map((name) => args[name] ?? (from.length === 1 ? args.input : undefined));
  const given = args.input !== undefined || named.length > 0;
  if (given === (row !== null) || (args.input !== undefined && named.length > 0))
    throw new UsageError('give either --input or --row');
  if (row !== null) return { ...rest, inputs: null };
  const missing = from.find((_, i) => values[i] === undefined);
  if (missing !== undefined) throw new UsageError(`--from ${names}: give --${missing}`);
  return { ...rest, inputs: values.map((x) => x!) };
}

/** @throws UsageError, DataError, and what loading and decoding throw */
export async function generateModality(args: Args): Promise<void> {
  const asked = questionOf(args);
  const filters = filtersOf(args);
  const scales = args.guidance ?? '3';
  if (asked.via.length > 0 && scales.includes(':'))
    throw new UsageError('--via takes one scale of --guidance for all steps');
  const guidance = guidanceOf(scales, asked.from);
  const sampling = { ...filters, guidance, key: key(integer('seed', args.seed)) };
  if (args.out !== undefined && asked.to === 'text')
    throw new UsageError('--out is for images and speech: text is printed');
  const folder = resolve(args.run ?? 'loretta-out');
  const run = readRun(folder);
  const inputs =
    asked.inputs === null
      ? null
      : await Promise.all(asked.inputs.map((input, i) => readSample(asked.from[i]!, input)));
  useBackend(args.backend);
  const bar = progress(args.json);
  try {
    const arm = await loadArm(folder, run, args.arm ?? 'transitive', { onEvent: onData(bar) });
    const to = arm.loaded.modalities[asked.to]!;
    const found = await make(arm, asked, conditionOf(arm, asked, inputs), sampling);
    const block = fromBlock(arm.vocab, to.name, found.ids);
    const ids = block.ids.subarray(0, block.lengths[0]!);
    bar.stop();
    const { ids: said, ...shown } = await writeSample(to, ids, args.out);
    const { ids: _joint, ...numbers } = found;
    const from = asked.from.join(',');
    console.log(
      args.json
        ? JSON.stringify({ from, to: to.name, ...shown, ids: [...ids], ...numbers })
        : Object.values({ ...shown, ...(said === undefined ? {} : { said }) }).join('\n'),
    );
  } finally {
    bar.stop();
  }
}

/** One block, with the likelihoods of the chosen one in nats. */
async function make(
  { model, vocab }: LoadedArm,
  { to, from, via, chains, best, lambda }: Question,
  condition: readonly Block[],
  sampling: GenerateBlockOptions,
): Promise<{ readonly ids: Int32Array; readonly conditional: number; readonly prior: number }> {
  const rows = { rows: 1 };
  if (best > 1) {
    const found = await generateBest(model, vocab, condition, to, {
      ...sampling,
      ...rows,
      n: best,
      lambda: lambda ?? 1,
    });
    const { length } = vocab.modality(to);
    const [conditional, prior] = [found.conditional[0]!, found.prior[0]!];
    return { ids: found.ids.subarray(0, length), conditional, prior };
  }
  const { key: k, ...rest } = sampling;
  const steps = [...via, to].map((target, i) => ({
    ...rest,
    target,
    from: i === 0 ? from : [via[i - 1]!],
  }));
  const found = await generateConsensus(model, vocab, condition, steps, {
    ...rows,
    chains,
    lambda: lambda ?? 0,
    ...(k === undefined ? {} : { key: k }),
  });
  return { ids: found.ids, conditional: found.conditional[0]!, prior: found.prior[0]! };
}

/** The blocks that are given, from files or from the test data. @throws UsageError for a row that is not there */
function conditionOf(
  { vocab, loaded }: LoadedArm,
  { from, row }: Question,
  inputs: readonly RawSample[] | null,
): Block[] {
  return from.map((name, i) => {
    const m = loaded.modalities[name]!;
    const local =
      inputs === null ? testIds(loaded, m, row!, from.length > 1) : m.encode(inputs[i]!);
    return { modality: name, ids: sampleBlock(vocab, m, local), generated: false };
  });
}

function testIds({ test }: SvlMnist, m: ModalityData, row: number, aligned: boolean): Int32Array {
  const n = aligned ? test.size : m.test.labels.length;
  if (row >= n) {
    throw new UsageError(
      `--row ${row}: ${aligned ? 'there are' : `${m.name} has`} ${n} ${aligned ? 'aligned test rows' : 'test samples'}`,
    );
  }
  if (!aligned) return tokensAt(m.test, row);
  const column = test.modalities.indexOf(m.name);
  if (column < 0) throw new DataError('config', m.name, 'is not in the aligned test rows');
  return tokensAt(m.test, test.index[row * test.modalities.length + column]!);
}
