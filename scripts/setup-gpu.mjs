// `npm run setup:gpu`: what the modes of the GPU backend need on Debian: packages, the native part of `gl`, Chromium.
// Nothing is downloaded but Debian's packages; `gl` is built once and kept in a cache. Exit code 0 when all is there, 3 otherwise.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gpuModes } from './gpu-modes.mjs';

const usage = `usage: npm run setup:gpu -- [--check] [--only dawn,gl,chromium]

  --check   install nothing, only say what is there
  --only    some of: dawn (WebGPU in Node), gl (headless WebGL), chromium (both in a browser)

examples:
  npm run setup:gpu
  npm run setup:gpu -- --only gl
`;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const packages = {
  dawn: ['libegl-dev', 'libegl1', 'libegl-mesa0', 'libgl1-mesa-dri'],
  gl: [
    ...['build-essential', 'python3', 'pkg-config', 'libx11-dev', 'libxext-dev', 'libxi-dev'],
    ...['libgl1-mesa-dev', 'libgl1', 'libglx-mesa0', 'libgl1-mesa-dri', 'libxext6', 'xvfb'],
  ],
  chromium: ['chromium'],
};
const modesOf = {
  dawn: ['webgpu'],
  gl: ['headlessgl'],
  chromium: ['chromium:webgl', 'chromium:webgl2', 'chromium:webgpu'],
};

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  process.stdout.write(usage);
  process.exit(0);
}
const checkOnly = args.includes('--check');
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined;
const parts = (only ?? 'dawn,gl,chromium').split(',');
const known = args.every((arg) => ['--check', '--only', only].includes(arg));
if (!known || parts.some((part) => !Object.hasOwn(packages, part))) {
  process.stderr.write(usage);
  process.exit(2);
}

const complaints = [];

/** Runs a program; true when it ended well. What it printed is shown when it did not. */
function run(file, argv, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(file, argv, { encoding: 'utf8', ...options });
  if (status === 0) return true;
  const said = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-12).join('\n');
  console.error(`${file} ${argv.join(' ')}: ${error?.message ?? `exit code ${status}`}\n${said}`);
  return false;
}

function isInstalled(name) {
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '$\x7bStatus}', name], {
    encoding: 'utf8',
  });
  return stdout?.includes('install ok installed') ?? false;
}

function installPackages(names) {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (spawnSync('apt-get', ['--version']).status !== 0) {
    complaints.push(`no apt-get here: install ${missing.join(' ')} with the system's own tool`);
    return;
  }
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const apt = (...argv) => {
    const [file, ...rest] = [...sudo, 'apt-get', ...argv];
    return run(file, rest, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  };
  console.log(`installing ${missing.join(' ')} …`);
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  if (apt(...install)) return;
  // the lists may be old, or not there yet
  if (apt('update') && apt(...install)) return;
  complaints.push(`could not install ${missing.join(' ')}: as root, apt-get ${install.join(' ')}`);
}

/** The manifest of the `gl` that gpu.js loads, without its native part; null where it is not installed. */
function glManifest() {
  try {
    const gpuJs = createRequire(join(root, 'packages/backend-gpu/package.json')).resolve('gpu.js');
    return createRequire(gpuJs).resolve('gl/package.json');
  } catch {
    return null;
  }
}

/** Takes the native part of `gl` from the cache, or builds it. */
function installGl() {
  const manifest = glManifest();
  if (manifest === null) {
    complaints.push('the package gl is not installed: run npm test once, which installs');
    return;
  }
  const folder = dirname(manifest);
  const built = join(folder, 'build/Release/webgl.node');
  if (existsSync(built)) return;
  const require = createRequire(manifest);
  const name = `gl-${require(manifest).version}-abi${process.versions.modules}-${process.platform}-${process.arch}.node`;
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const cached = join(cache, 'loretta-ts/gl', name);
  if (!existsSync(cached)) {
    console.log('building gl: two to eight minutes …');
    const gyp = join(dirname(require.resolve('node-gyp/package.json')), 'bin/node-gyp.js');
    // headers of a Node that a distribution installed: nothing has to be downloaded
    const prefix = dirname(dirname(process.execPath));
    const headers = existsSync(join(prefix, 'include/node/node.h'))
      ? { npm_config_nodedir: prefix }
      : {};
    const env = { ...process.env, JOBS: '2', ...headers };
    if (!run('nice', [process.execPath, gyp, 'rebuild'], { cwd: folder, env })) {
      complaints.push('gl did not build (see above)');
      return;
    }
    mkdirSync(dirname(cached), { recursive: true });
    copyFileSync(built, `${cached}.tmp`);
    renameSync(`${cached}.tmp`, cached);
  }
  mkdirSync(dirname(built), { recursive: true });
  copyFileSync(cached, built);
}

if (!checkOnly) {
  installPackages([...new Set(parts.flatMap((part) => packages[part]))]);
  if (parts.includes('gl')) installGl();
}
const modes = await gpuModes();
const wanted = parts.flatMap((part) => modesOf[part]);
for (const mode of wanted) console.log(`${mode.padEnd(16)} ${modes.get(mode) ?? 'runs'}`);
for (const complaint of complaints) console.error(complaint);
process.exitCode = wanted.every((mode) => modes.get(mode) === null) ? 0 : 3;
