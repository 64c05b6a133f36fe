/**
 * A fresh process that imports core and the CPU backend as they are published, multiplies two 64 × 64 matrices and reads the
 * result, against an empty one.
 * npm run bench -- startup [--rounds N] [--quick] [--json]
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { machine, machineLine } from './lib/machine';
import { readOptions } from './lib/options';
import { short, shortSpread, spread } from './lib/stats';
import { save } from './lib/subject';
import { table } from './lib/table';
import { root } from './lib/workspace';

const options = readOptions();
const built = spawnSync(
  process.execPath,
  [join(root, 'node_modules/tsup/dist/cli-default.js'), '--silent'],
  { cwd: root, stdio: 'inherit', env: { ...process.env, SKIP_DTS: '1' } },
);
if (built.status !== 0) process.exit(1);

const entry = (name: string): string =>
  pathToFileURL(join(root, 'packages', name, 'dist/index.js')).href;
const work = `
  const { full, matmul, setBackend } = await import('${entry('core')}');
  const { cpu } = await import('${entry('backend-cpu')}');
  setBackend(cpu());
  const a = full([64, 64], 1);
  if ((await matmul(a, a).data())[0] !== 64) throw new Error('wrong');`;
const programs: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['import and first op', work],
];

/** CPU ms of the whole process, and its peak memory in MiB. */
function run(program: string): readonly [cpu: number, peak: number] {
  const tell = `
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    console.log((userCPUTime + systemCPUTime) / 1000, maxRSS / 1024);`;
  const argv = ['--input-type=module', '-e', program + tell];
  const { stdout, status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const [cpu = 0, peak = 0] = stdout.trim().split(' ').map(Number);
  return [cpu, peak];
}

const samples = programs.map(() => [] as (readonly [number, number])[]);
for (let round = 0; round < 3 * options.rounds; round++) {
  programs.forEach(([, program], i) => {
    samples[i]!.push(run(program));
  });
}
const lines = programs.map(([name], i) => ({
  name,
  cpu: spread(samples[i]!.map(([cpu]) => cpu)),
  peak: spread(samples[i]!.map(([, peak]) => peak)),
}));
const beyond = spread(samples[1]!.map(([cpu], r) => cpu - samples[0]![r]![0]));
const host = machine();
const result = { subject: 'startup', machine: host, lines, beyond };
save('startup', result);
if (options.json) console.log(JSON.stringify(result, null, 2));
else {
  const rows = lines.map((l) => [l.name, '', shortSpread(l.cpu), short(l.peak.median)]);
  console.log(`# Start\n\n${machineLine(host)}. ${host.date}\n`);
  console.log(table(['process', '', 'CPU ms', 'peak MiB'], rows));
  console.log(`\nBeyond an empty process: ${shortSpread(beyond)} ms of CPU time.`);
}
