/**
 * Import and a first product of 64 × 64, read back, in a fresh process: CPU time and memory beyond an empty Node.
 * npm run bench -- startup [--rounds N] [--peers tfjs,jax-js,onnx] [--quick] [--json] [--save]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from './lib/contestants';
import { machine, machineLine } from './lib/machine';
import { readOptions } from './lib/options';
import { barPlot } from './lib/plot';
import { type Spread, short, shortSpread, spread } from './lib/stats';
import { save } from './lib/subject';
import { table } from './lib/table';
import { benchRoot, root } from './lib/workspace';

interface Program {
  readonly name: string;
  readonly peer: string | null;
  readonly package: string | null;
  readonly code: string;
}

const ours = (options: string): string => `
  const { setBackend, ones } = await import('@loretta-ts/core');
  const { cpu } = await import('@loretta-ts/backend-cpu');
  setBackend(cpu(${options}));
  await ones([64, 64]).matmul(ones([64, 64])).data();`;

const require = `const { createRequire } = await import('node:module');
  const require = createRequire(process.cwd() + '/x.js');`;

const PROGRAMS: readonly Program[] = [
  { name: 'empty Node', peer: null, package: null, code: '' },
  { name: 'loretta-ts', peer: null, package: null, code: ours('') },
  { name: 'loretta-ts, 1 thread', peer: null, package: null, code: ours('{ threads: 1 }') },
  {
    ...{ name: 'tfjs', peer: 'tfjs', package: '@tensorflow/tfjs-backend-wasm' },
    code: `${require}
      const tf = require('@tensorflow/tfjs-core');
      const wasm = require('@tensorflow/tfjs-backend-wasm');
      wasm.setWasmPaths(process.cwd() + '/node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/');
      await tf.setBackend('wasm');
      tf.matMul(tf.ones([64, 64]), tf.ones([64, 64])).dataSync();`,
  },
  {
    ...{ name: 'jax-js', peer: 'jax-js', package: '@jax-js/jax' },
    code: `
      const { numpy: np, init } = await import('@jax-js/jax');
      await init('wasm');
      await np.matmul(np.ones([64, 64]), np.ones([64, 64])).data();`,
  },
  {
    ...{ name: 'onnx', peer: 'onnx', package: 'onnxruntime-node' },
    code: `
      const ort = (await import('onnxruntime-node')).default;
      const { model, node } = await import('./onnx-writer.mjs');
      const io = (name) => [name, 1, [64, 64]];
      const bytes = model([node('MatMul', ['a', 'b'], ['c'])], [], [io('a'), io('b')], [io('c')]);
      const session = await ort.InferenceSession.create(bytes);
      const t = new ort.Tensor('float32', new Float32Array(4096).fill(1), [64, 64]);
      (await session.run({ a: t, b: t })).c.data[0];`,
  },
];

interface Start {
  readonly cpu: number;
  readonly wall: number;
  readonly rss: number;
}

/** @throws Error with what the process wrote when it gave no figures */
function startOnce({ code, peer }: Program): Start {
  const report = `
    const { user, system } = process.cpuUsage();
    const rss = process.memoryUsage().rss / 2 ** 20;
    console.log('@@' + JSON.stringify({ cpu: (user + system) / 1000, wall: performance.now(), rss }));
    process.exit(0);`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', code + report],
    {
      cwd: peer === null ? benchRoot : join(benchRoot, 'peers'),
      encoding: 'utf8',
    },
  );
  const line = /^@@(.*)$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(/.*Error.*/.exec(stderr)?.[0] ?? 'no figures');
  return JSON.parse(line) as Start;
}

/** Builds the packages when a source is newer than what is built: users import the built ones. */
function build(): void {
  const newest = (folder: string): number =>
    Math.max(
      ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(
        (file) => statSync(join(folder, file)).mtimeMs,
      ),
    );
  const stale = ['core', 'backend-cpu'].some((name) => {
    const dist = join(root, 'packages', name, 'dist/index.js');
    return (
      !existsSync(dist) || statSync(dist).mtimeMs < newest(join(root, 'packages', name, 'src'))
    );
  });
  if (!stale) return;
  console.error('building the packages …');
  const argv = [join(root, 'node_modules/tsup/dist/cli-default.js'), '--silent'];
  const { status } = spawnSync(process.execPath, argv, {
    ...{ cwd: root, stdio: ['ignore', 2, 2] },
    env: { ...process.env, SKIP_DTS: '1' },
  });
  if (status !== 0) throw new Error('the packages do not build: npm run build says why');
}

const options = readOptions();
build();
const missing: string[] = [];
const programs = PROGRAMS.filter((p) => {
  if (p.peer === null) return true;
  if (options.peers?.includes(p.peer) === false) return false;
  let reason = installed(p.package!);
  try {
    if (reason === null) startOnce(p);
  } catch (error) {
    reason = (error as Error).message;
  }
  if (reason !== null) missing.push(`Missing: ${p.name}, because ${reason}.`);
  return reason === null;
});
const host = machine();
const starts = new Map(programs.map((p) => [p.name, [] as Start[]]));
for (let round = 0; round < options.rounds * 3; round++) {
  for (const p of programs) starts.get(p.name)!.push(startOnce(p));
}
const empty = starts.get('empty Node')!;
const rows = [...starts].map(([name, samples]) => ({
  name,
  cpu: spread(samples.map((s) => s.cpu)),
  wall: spread(samples.map((s) => s.wall)),
  rss: spread(samples.map((s) => s.rss)),
  beyond: spread(samples.map((s, i) => s.cpu - empty[i]!.cpu)),
}));
save('startup', { subject: 'startup', machine: host, missing, rows });
if (options.json) console.log(JSON.stringify({ machine: host, missing, rows }, null, 2));
else {
  const shown = (s: Spread): string => `${short(s.median)} (${short(s.min)})`;
  console.log(`# Import and first op, fresh process\n\n${machineLine(host)}. ${host.date}`);
  for (const line of missing) console.log(line);
  const head = ['who', 'rounds', 'CPU ms (best)', 'beyond empty Node', 'wall ms (best)', 'MiB'];
  const cells = rows.map((r) => [
    ...[r.name, `${options.rounds * 3}`, shown(r.cpu), shortSpread(r.beyond)],
    ...[shown(r.wall), r.rss.median.toFixed(0)],
  ]);
  console.log(`\n${table(head, cells)}\n`);
}
if (options.save) {
  const bars = rows.map(({ name, cpu }) => ({
    ...{ label: name, value: cpu.median, from: cpu.min, to: cpu.max },
    ...{ text: `${short(cpu.median)} ms`, ours: name.startsWith('loretta') },
  }));
  const footer = `${host.cpu}, Node ${host.node}, ${host.date.slice(0, 10)}; CPU time of the process`;
  const plot = barPlot('Import and first op', footer, [{ title: '', bars }]);
  writeFileSync(join(root, 'docs/guides/perf-startup.svg'), plot);
}
