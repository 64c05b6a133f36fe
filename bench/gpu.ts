/**
 * The GPU backend in every mode that runs here, beside backend-cpu, the plain use of gpu.js, and TensorFlow.js on WebGL in
 * the same Chromium: cost of a launch, a product, a training step, generation. Least of the rounds, which alternate.
 * npm run bench -- gpu [--rounds N] [--peers tfjs|none] [--quick] [--json] [--save]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { buildPage, removePage, Site } from '../scripts/chromium.mjs';
import { startDisplay } from '../scripts/display.mjs';
import { gpuModes, leftOut } from '../scripts/gpu-modes.mjs';
import type { Jobs } from './gpu/page/main';
import { MODEL, SIZES, WORKS, type WorkName } from './gpu/work';
import { installed } from './lib/contestants';
import { machine, machineLine } from './lib/machine';
import { readOptions } from './lib/options';
import { short } from './lib/stats';
import { save } from './lib/subject';
import { table } from './lib/table';
import { benchRoot, root } from './lib/workspace';

interface Round {
  readonly ms: number;
  readonly check: number;
}

/** Who takes part. */
interface Contestant {
  readonly place: 'Node' | 'Chromium';
  readonly name: string;
  round(work: WorkName, budget: number): Promise<Round>;
  close(): Promise<void>;
}

const options = readOptions();
const budget = options.quick ? 300 : 1500;

function answer(child: ChildProcess): Promise<Round> {
  return new Promise((done, fail) => {
    child.once('message', (message) => done(message as Round));
    child.once('exit', (code) => fail(new Error(`a child ended with exit code ${code}`)));
  });
}

async function inNode(name: string): Promise<Contestant> {
  const stop = name === 'headlessgl' ? await startDisplay() : null;
  const child = fork(join(benchRoot, 'gpu/child.ts'), [name], {
    execArgv: ['--conditions=loretta-source', '--import', join(root, 'scripts/ts-loader.mjs')],
    stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
  });
  // the child has the display's name; others must not see it
  if (stop !== null) delete process.env['DISPLAY'];
  await answer(child);
  return {
    ...{ place: 'Node', name },
    round(work, ms) {
      child.send({ name: work, budget: ms });
      return answer(child);
    },
    async close() {
      const ended = new Promise((done) => child.once('exit', done));
      child.send(null as never);
      await ended;
      stop?.();
    },
  };
}

const modes = await gpuModes();
for (const line of leftOut(modes)) console.log(line);
const runs = (mode: string): boolean => modes.get(mode) === null;
const contestants: Contestant[] = [];
for (const name of ['backend-cpu', 'cpu', 'webasm', 'webgpu', 'headlessgl']) {
  if (name === 'backend-cpu' || runs(name)) contestants.push(await inNode(name));
}
let site: Site<Jobs> | null = null;
let page: string | null = null;
if (runs('chromium:webgl2')) {
  const wantsPeer = options.peers === null || options.peers.includes('tfjs');
  const missing = wantsPeer ? installed('@tensorflow/tfjs') : 'not asked for';
  if (missing !== null) console.log(`left out: TensorFlow.js (${missing})`);
  page = await buildPage(join(benchRoot, 'gpu/page'));
  const open = await Site.open<Jobs>(page);
  site = open;
  const names = ['backend-cpu', 'webgl2', 'webgpu', 'plain', ...(missing === null ? ['tfjs'] : [])];
  for (const name of names) {
    contestants.push({
      ...{ place: 'Chromium', name },
      round: (work, ms) => open.run('round', name, work, ms),
      close: async () => undefined,
    });
  }
}

const results = new Map<string, Map<WorkName, Round>>();
const id = ({ place, name }: Contestant): string => `${place} ${name}`;
for (const c of contestants) results.set(id(c), new Map());
for (const work of WORKS) {
  for (let round = 0; round < options.rounds; round++) {
    for (const c of contestants) {
      const before = results.get(id(c))!.get(work);
      const now = await c.round(work, budget);
      results.get(id(c))!.set(work, before !== undefined && before.ms < now.ms ? before : now);
    }
  }
  process.stderr.write(`${work} done\n`);
}
for (const c of contestants) await c.close();
await site?.close();
if (page !== null) removePage(page);

const about = machine();
const { vocab, layers, dim, batch, length } = MODEL;
console.log(machineLine(about));
console.log(
  `Decoder: vocab ${vocab}, ${layers} layers of ${dim}, ${batch} × ${length} tokens. All on software rendering.`,
);
const unit: Readonly<Record<WorkName, (ms: number) => string>> = {
  dispatch: (ms) => `${short((1000 * ms) / SIZES.launches)} µs`,
  gemm: (ms) => `${short(ms)} ms, ${short((2 * SIZES.side ** 3) / ms / 1e6)} GFLOP/s`,
  train: (ms) => `${short(ms)} ms`,
  generate: (ms) => `${short((1000 * SIZES.tokens) / ms)}/s`,
};
console.log(
  table(
    ['where', 'who', 'launch', `product ${SIZES.side}³`, 'training step', 'tokens'],
    contestants.map((c) => {
      const own = results.get(id(c))!;
      return [c.place, c.name, ...WORKS.map((w) => unit[w](own.get(w)!.ms))];
    }),
  ),
);
const wrong: string[] = [];
const reference = results.get('Node backend-cpu')!;
for (const [who, own] of results) {
  for (const work of WORKS) {
    const [got, want] = [own.get(work)!.check, reference.get(work)!.check];
    if (!(Math.abs(got - want) <= 1e-3 * Math.max(1, Math.abs(want)))) {
      wrong.push(`${who}, ${work}: ${got}, not ${want}`);
    }
  }
}
const step = (who: string): number | undefined => results.get(who)?.get('train')?.ms;
const ratios: Record<string, number> = {};
for (const other of ['Chromium plain', 'Chromium tfjs', 'Chromium backend-cpu']) {
  const [own, theirs] = [step('Chromium webgl2'), step(other)];
  if (own === undefined || theirs === undefined) continue;
  ratios[other] = theirs / own;
  console.log(`training step on webgl2: ${short(theirs / own)} times as fast as ${other}`);
}
for (const line of wrong) console.log(`DISAGREES: ${line}`);
const summary = {
  ...{ machine: about, model: MODEL, sizes: SIZES, ratios },
  results: Object.fromEntries([...results].map(([who, own]) => [who, Object.fromEntries(own)])),
};
if (options.json) console.log(JSON.stringify(summary));
if (options.save) save('gpu', summary);
process.exitCode = wrong.length > 0 ? 1 : 0;
