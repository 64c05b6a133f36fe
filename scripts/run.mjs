// The commands of package.json: check Node, install when needed, then run one command on the sources.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDisplay } from './display.mjs';
import { helpOf } from './help.mjs';
import { mutation } from './mutation.mjs';
import { release } from './release.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [command = '', ...args] = process.argv.slice(2);
// npm changes to the root first; paths given by the user are meant from where they stand.
const viaNpm = process.env.npm_lifecycle_event === command && process.cwd() === root;
const callerDir = (viaNpm && process.env.INIT_CWD) || process.cwd();

/** Runs a program to its end and resolves to its exit code. Output is inherited. */
function run(file, argv, { cwd = root, env = {}, stdio = 'inherit' } = {}) {
  const child = spawn(file, argv, { cwd, stdio, env: { ...process.env, ...env } });
  const forward = (signal) => child.kill(signal);
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      resolve(signal ? 1 : (code ?? 1));
    });
  });
}

const node = (argv, options) => run(process.execPath, argv, options);
const source = (file, argv, options) =>
  node(
    [
      '--enable-source-maps',
      '--expose-gc',
      '--conditions=loretta-source',
      '--import',
      join(root, 'scripts/ts-loader.mjs'),
      join(root, file),
      ...argv,
    ],
    options,
  );
/** The program that a package in the root node_modules installs under its own name. */
function tool(name, argv, options) {
  const require = createRequire(join(root, 'package.json'));
  const manifest = join(root, 'node_modules', name, 'package.json');
  const { bin } = require(manifest);
  const file =
    typeof bin === 'string' ? bin : (bin[name.replace(/^@.*\//, '')] ?? Object.values(bin)[0]);
  return node([join(dirname(manifest), file), ...argv], options);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`Node ${process.versions.node} is too old: install Node 20.19 or later.`);
  process.exit(1);
}

/** Installs what the lockfile says, unless that has been done since it last changed. */
async function install() {
  const stamp = join(root, 'node_modules/.modules.yaml');
  const changed = statSync(join(root, 'pnpm-lock.yaml')).mtimeMs;
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= changed) return;
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  console.error(`installing with ${packageManager} …`);
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx';
  const argv = ['--yes', packageManager, 'install', '--frozen-lockfile', '--prefer-offline'];
  // To standard error: the standard output belongs to the command that was asked for.
  const code = await run(npx, argv, { stdio: ['ignore', 2, 2], env: { CI: 'true' } });
  if (code !== 0) process.exit(code);
  const now = new Date();
  utimesSync(stamp, now, now);
}

async function bench() {
  const subjects = readdirSync(join(root, 'bench'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => file.slice(0, -3))
    .sort();
  const [subject, ...rest] = args;
  if (subject !== undefined && !subjects.includes(subject)) {
    console.error(`bench: no subject ${subject}; there are: ${subjects.join(', ')}`);
    return 2;
  }
  let worst = 0;
  for (const one of subject === undefined ? subjects : [subject]) {
    worst = Math.max(worst, await source(`bench/${one}.ts`, rest, { cwd: callerDir }));
  }
  return worst;
}

/** An example of docs/examples on the sources: a program, or a page served by vite. */
function example() {
  const folder = 'docs/examples';
  const names = readdirSync(join(root, folder)).filter((name) =>
    existsSync(join(root, folder, name, 'main.ts')),
  );
  const [name, ...rest] = args;
  if (!names.includes(name)) {
    console.error(`usage: npm run example -- ${names.join('|')} [arguments]`);
    return 2;
  }
  const place = `${folder}/${name}`;
  return existsSync(join(root, place, 'index.html'))
    ? tool('vite', [place, ...rest])
    : source(`${place}/main.ts`, rest, { cwd: callerDir });
}

/** A command of `loretta`, freshly built. */
async function loretta(name) {
  const built = await tool('tsup', ['--silent'], { env: { SKIP_DTS: '1' } });
  if (built !== 0) return built;
  return node([join(root, 'packages/loretta/bin/loretta.js'), name, ...args], { cwd: callerDir });
}

/** The playground page, from the run in loretta-out, that of `--run DIR`, or a short one. */
const playground = (argv) => source('docs/playground/node/main.ts', argv, { cwd: callerDir });

/** API pages and guides, then the playground inside them. */
async function docs() {
  const code = await tool('typedoc', ['--options', 'docs/typedoc.json', ...args]);
  return code === 0 ? playground([]) : code;
}

const commands = {
  start: () => loretta('start'),
  experiments: () => loretta('experiments'),
  test: () => node(['scripts/checks.mjs', 'all', ...args]),
  check: () => node(['scripts/checks.mjs', 'static', ...args]),
  build: () => tool('tsup', args),
  docs,
  playground: () => playground(args),
  format: () => tool('@biomejs/biome', ['check', '--write', ...(args.length ? args : ['.'])]),
  async conformance() {
    if (args.includes('gpu:headlessgl')) await startDisplay();
    return source('tests/conformance/main.ts', args, { cwd: callerDir });
  },
  reliability: () => source('tests/reliability/main.ts', args, { cwd: callerDir }),
  mutation: () => mutation(tool, root, args),
  bench,
  release: () => release(run, args),
  example,
  'setup:gpu': () => node(['scripts/setup-gpu.mjs', ...args]),
};

if (!Object.hasOwn(commands, command)) {
  console.error(`usage: node scripts/run.mjs ${Object.keys(commands).join('|')} [arguments]`);
  process.exit(2);
}
const help = helpOf(command, args);
if (help !== null) {
  console.log(help);
  process.exit(0);
}
checkNode();
await install();
process.exitCode = await commands[command]();
