/** `loretta impute`: fills in modalities that rows lack. */
import { join, resolve } from 'node:path';
import { key } from '@loretta-ts/core';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { tokensAt } from '../data/modality';
import type { SvlName } from '../data/svlMnist';
import { balanced, trainJudges } from '../evaluate/evaluate';
import { hits } from '../evaluate/intervals';
import type { Judge } from '../evaluate/judge';
import { type ImputedRow, impute as fillIn, type PartialRow } from '../infer/impute';
import { type LoadedArm, loadArm } from '../node/load-arm';
import { type ManifestRow, readManifest } from '../node/manifest';
import { makeFolder, type RunFile, readRun } from '../node/run-folder';
import { fromBlock } from '../train/data';
import { useBackend } from './backend';
import { command } from './command';
import { UsageError } from './errors';
import { armArgs, count, integer, oneOf } from './options';
import { onData, progress } from './progress';
import { ENDING, NAMES, readSample, sampleBlock, writeSample } from './samples';
import { filtersOf, namesOf, positive, type SamplingArgs, samplingArgs } from './sampling';

export const impute = command({
  name: 'impute',
  description: 'Fill in the modalities that rows lack, with a trained arm',
  examples: [
    'loretta impute --manifest rows.json --out filled',
    'loretta impute --manifest rows.json --missing image --pick consensus --route chain',
    'loretta impute --rows 20 --missing image --pick best     test rows without their images',
    'loretta impute --rows 100 --missing image,speech --json',
    'rows.json: [{ "speech": "three.wav" }, { "image": "7.png", "text": "seven" }]',
  ],
  args: {
    ...armArgs,
    manifest: {
      type: 'string',
      description: 'JSON list of rows: image is a PNG file, speech a WAV file, text the words',
    },
    rows: { type: 'string', valueHint: 'N', description: 'Aligned test rows instead, this many' },
    missing: {
      type: 'string',
      description: 'What to fill in (default: all that is missing); of --rows, what to take away',
    },
    route: {
      type: 'string',
      description: 'direct: from all that is there; chain: along pairs that training had',
      default: 'direct',
    },
    pick: {
      type: 'string',
      description: 'single, best (of --n, by mutual information) or consensus (of --n)',
      default: 'single',
    },
    n: { type: 'string', description: 'Candidates of best and consensus', default: '8' },
    vote: {
      type: 'boolean',
      description: 'Let the class that a judge sees most often decide a consensus',
      default: false,
    },
    guidance: {
      type: 'string',
      valueHint: 'G',
      description: 'Guidance of every condition',
      default: '3',
    },
    out: {
      type: 'string',
      valueHint: 'DIR',
      description: 'Folder for what was filled in',
      default: 'imputed',
    },
    ...samplingArgs,
    json: { type: 'boolean', description: 'Print imputed.json as one line', default: false },
  },
  main,
});

interface Args extends SamplingArgs {
  readonly run: string;
  readonly arm: string;
  readonly manifest?: string | undefined;
  readonly rows?: string | undefined;
  readonly missing?: string | undefined;
  readonly route: string;
  readonly pick: string;
  readonly n: string;
  readonly vote: boolean;
  readonly guidance: string;
  readonly out: string;
  readonly json: boolean;
}

/** Rows to fill in, and the classes of those that are known. */
interface Rows {
  readonly rows: readonly PartialRow[];
  readonly labels: readonly number[] | null;
}

async function main(args: Args): Promise<void> {
  const route = oneOf('route', args.route, ['direct', 'chain'] as const);
  const pick = oneOf('pick', args.pick, ['single', 'best', 'consensus'] as const);
  if ((args.manifest === undefined) === (args.rows === undefined))
    throw new UsageError('give either --manifest or --rows');
  if (args.vote && pick !== 'consensus') throw new UsageError('--vote needs --pick consensus');
  const missing = args.missing === undefined ? null : namesOf('missing', args.missing);
  const wanted = args.rows === undefined ? null : count('rows', args.rows);
  if (wanted !== null && (missing === null || missing.length === NAMES.length))
    throw new UsageError('--rows needs --missing: one or two modalities to take away');
  const options = {
    ...filtersOf(args),
    route,
    pick,
    n: count('n', args.n),
    guidance: positive('guidance', args.guidance),
    key: key(integer('seed', args.seed)),
    ...(missing === null ? {} : { targets: missing }),
  };
  const folder = resolve(args.run);
  const run = readRun(folder);
  const manifest = args.manifest === undefined ? null : readManifest(resolve(args.manifest));
  const raw = manifest === null ? null : await Promise.all(manifest.map(readRow));
  useBackend(args.backend);
  const bar = progress(args.json);
  try {
    const arm = await loadArm(folder, run, args.arm, { onEvent: onData(bar) });
    const { rows, labels } =
      raw === null
        ? testRowsOf(arm, wanted!, missing!)
        : { rows: raw.map((row) => encoded(arm, row)), labels: null };
    const judges =
      args.vote || labels !== null ? await trainJudges(arm.data, run.config.seed + 50) : null;
    const vote = args.vote ? judgeOf(arm, judges!) : null;
    const found = await fillIn(arm.model, arm.vocab, arm.graph, rows, { ...options, vote });
    const accuracy = labels === null ? {} : await accuracyOf(arm, judges!, found, labels);
    const out = resolve(args.out);
    makeFolder(out);
    const written = await writeRows(arm, found, rows, labels, out);
    const result = {
      version: 1,
      run: folder,
      arm: args.arm,
      route,
      pick,
      ...accuracy,
      rows: written,
    };
    await writeFileAtomic(
      join(out, 'imputed.json'),
      new TextEncoder().encode(`${JSON.stringify(result, null, 1)}\n`),
    );
    bar.stop();
    console.log(args.json ? JSON.stringify(result) : summary(run, written, accuracy, out));
  } finally {
    bar.stop();
  }
}

type RawRow = Partial<Record<SvlName, Awaited<ReturnType<typeof readSample>>>>;

async function readRow(row: ManifestRow): Promise<RawRow> {
  const found: RawRow = {};
  for (const name of NAMES) {
    const input = row[name];
    if (input !== undefined) found[name] = await readSample(name, input);
  }
  return found;
}

function encoded({ vocab, loaded }: LoadedArm, row: RawRow): PartialRow {
  const present = NAMES.filter((name) => row[name] !== undefined);
  return Object.fromEntries(
    present.map((name) => {
      const m = loaded.modalities[name]!;
      return [name, sampleBlock(vocab, m, m.encode(row[name]!))];
    }),
  );
}

/** The first aligned test rows, of mixed classes, without what is to be filled in. @throws UsageError */
function testRowsOf(arm: LoadedArm, n: number, missing: readonly SvlName[]): Rows {
  const { test } = balanced(arm.data);
  if (n > test.size) throw new UsageError(`--rows ${n}: there are ${test.size} aligned test rows`);
  const names = test.modalities.filter((name) => !missing.some((x) => x === name));
  const rows = Array.from({ length: n }, (_, i) =>
    Object.fromEntries(
      names.map((name) => {
        const m = arm.loaded.modalities[name]!;
        const at = test.index[i * test.modalities.length + test.modalities.indexOf(name)]!;
        return [name, sampleBlock(arm.vocab, m, tokensAt(m.test, at))];
      }),
    ),
  );
  return { rows, labels: [...test.labels.subarray(0, n)] };
}

const judgeOf =
  ({ vocab }: LoadedArm, judges: Readonly<Record<string, Judge>>) =>
  (name: string, ids: Int32Array): Promise<Int32Array> => {
    const local = fromBlock(vocab, name, ids);
    return judges[name]!.classify(local.ids, local.lengths);
  };

/** Share of each modality that the judge puts in the class of the row. */
async function accuracyOf(
  arm: LoadedArm,
  judges: Readonly<Record<string, Judge>>,
  found: readonly ImputedRow[],
  labels: readonly number[],
): Promise<{ readonly accuracy: Readonly<Record<string, ReturnType<typeof hits>>> }> {
  const judge = judgeOf(arm, judges);
  const accuracy: Record<string, ReturnType<typeof hits>> = {};
  for (const name of Object.keys(found[0]!.imputed)) {
    const ids = Int32Array.from(found.flatMap(({ row }) => [...row[name]!]));
    accuracy[name] = hits(await judge(name, ids), labels);
  }
  return { accuracy };
}

/** One row of `imputed.json`. */
interface Written {
  readonly row: number;
  /** Class of the row, where it is known. */
  readonly label?: number;
  readonly present: readonly string[];
  readonly imputed: Readonly<Record<string, Filled>>;
}

interface Filled {
  readonly file?: string;
  readonly text?: string;
  readonly ids: readonly number[];
  readonly from: readonly string[];
  readonly confidence: number;
  readonly conditional: number;
  readonly prior: number;
}

async function writeRows(
  { vocab, loaded }: LoadedArm,
  found: readonly ImputedRow[],
  rows: readonly PartialRow[],
  labels: readonly number[] | null,
  out: string,
): Promise<Written[]> {
  const written: Written[] = [];
  for (const [row, { imputed }] of found.entries()) {
    const all: Record<string, Filled> = {};
    for (const name of NAMES.filter((x) => imputed[x] !== undefined)) {
      const { ids: joint, from, confidence, conditional, prior } = imputed[name]!;
      const local = fromBlock(vocab, name, joint);
      const ids = local.ids.subarray(0, local.lengths[0]!);
      const file = join(out, `${row}-${name}.${ENDING[name]}`);
      const shown = await writeSample(loaded.modalities[name]!, ids, file);
      all[name] = { ...shown, ids: [...ids], from, confidence, conditional, prior };
    }
    written.push({
      row,
      ...(labels === null ? {} : { label: labels[row]! }),
      present: Object.keys(rows[row]!),
      imputed: all,
    });
  }
  return written;
}

function summary(
  run: RunFile,
  rows: readonly Written[],
  { accuracy = {} }: { readonly accuracy?: Readonly<Record<string, ReturnType<typeof hits>>> },
  out: string,
): string {
  const lines = rows.flatMap(({ row, present, imputed }) =>
    Object.entries(imputed).map(
      ([name, x]) =>
        `${row}  ${present.join(' + ')} → ${name}  confidence ${x.confidence.toFixed(2)}  ${x.text ?? x.file ?? ''}`,
    ),
  );
  const chance = (100 / (run.arms[0]?.evaluation.classes ?? 10)).toFixed(0);
  const right = Object.entries(accuracy).map(
    ([name, e]) =>
      `${name}: ${(100 * e.value).toFixed(1)} % [${(100 * e.low).toFixed(1)}, ${(100 * e.high).toFixed(1)}] of the class of their row (chance ${chance} %)`,
  );
  return [...lines, ...right, `written  ${join(out, 'imputed.json')}`].join('\n');
}
