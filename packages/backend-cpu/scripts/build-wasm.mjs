/**
 * Compiles assembly/ into src/wasm/kernels.generated.ts and bundles src/threads/worker.ts into
 * src/threads/worker.generated.ts; with `--check` compares instead of writing, with `--hash` only compares the hash
 * of the sources (fast).
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as esbuild } from 'esbuild';
import { makeDelta } from './delta.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const kernels = join(root, 'src/wasm/kernels.generated.ts');
const worker = join(root, 'src/threads/worker.generated.ts');
const workerSources = ['control.ts', 'worker.ts'].map((name) => join(root, 'src/threads', name));

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}

/** SHA-256 of the sources, which the generated file carries. */
function sourceHash() {
  const hash = createHash('sha256');
  const folder = join(root, 'assembly');
  for (const name of readdirSync(folder).sort()) {
    if (name.endsWith('.ts')) hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex');
}

function fail(target) {
  console.error(
    `${relative(root, target)} is not what its sources give: run scripts/build-wasm.mjs`,
  );
  process.exitCode = 1;
}

async function compile(features) {
  const { default: asc } = await import('assemblyscript/asc');
  const flags = [
    '-O3',
    '--noAssert',
    '--runtime',
    'stub',
    '--importMemory',
    '--initialMemory',
    '1',
    '--sharedMemory',
    '--maximumMemory',
    '65536',
  ];
  const files = ['assembly/index.ts', '--outFile', 'kernels.wasm', '--bindings', 'raw'];
  const args = [...files, '--use', 'abort=', ...flags];
  for (const feature of features) args.push('--enable', feature);
  let wasm = null;
  let types = '';
  const { error, stderr } = await asc.main(args, {
    readFile: (name) => {
      try {
        return readFileSync(join(root, name), 'utf8');
      } catch {
        return null;
      }
    },
    writeFile: (name, contents) => {
      if (name.endsWith('.wasm')) wasm = contents;
      if (name.endsWith('.d.ts')) types = contents;
    },
    listFiles: () => [],
    reportDiagnostic: undefined,
  });
  if (error || !wasm) throw new Error(`${error?.message ?? 'no output'}\n${stderr.toString()}`);
  return { wasm: Buffer.from(wasm), types };
}

/** The exported functions as an interface; their doc comments stay in assembly/. */
function signatures(types) {
  const lines = types.match(/export function \w+\([^)]*\): \w+;/g) ?? [];
  return lines.map((line) => `  ${line.replace('export function ', '')}`).join('\n');
}

/** Offset of the flags of the imported memory: 3 says shared, with a maximum; 1 the same unshared. */
function memoryFlags(wasm) {
  const name = Buffer.from('\x03env\x06memory\x02\x03', 'latin1');
  const at = wasm.indexOf(name);
  if (at < 0) throw new Error('the module imports no shared memory env.memory');
  return at + name.length - 1;
}

async function buildKernels() {
  const plain = await compile(['threads', 'simd']);
  const relaxed = await compile(['threads', 'simd', 'relaxed-simd']);
  console.log(`simd ${plain.wasm.length} bytes, relaxed-simd ${relaxed.wasm.length} bytes`);
  const flags = memoryFlags(plain.wasm);
  if (memoryFlags(relaxed.wasm) !== flags)
    throw new Error('the two builds differ in their imports');
  return `/** Made by scripts/build-wasm.mjs from assembly/; do not edit. Sources: ${sourceHash()} */
export interface WasmKernels {
${signatures(plain.types)}
}

/** Offset of the flags of the memory import: 3 for shared memory, 1 for memory of one thread. */
export const memoryFlags = ${flags};
export const simdKernels: string =
  '${plain.wasm.toString('base64')}';
/** Turns them into the ones for relaxed SIMD; see delta.ts. */
export const relaxedSimdDelta: string =
  '${makeDelta(plain.wasm, relaxed.wasm).toString('base64')}';
`;
}

async function buildWorker() {
  const entryPoints = [join(root, 'src/threads/worker.ts')];
  const settings = { bundle: true, write: false, format: 'iife', target: 'es2022', minify: true };
  const { outputFiles } = await esbuild({ ...settings, entryPoints });
  const source = outputFiles[0].text.trim();
  return `/** Made by scripts/build-wasm.mjs from worker.ts; do not edit. Sources: ${hashOf(workerSources)} */
export const workerSource: string =
  ${JSON.stringify(source)};
`;
}

const outputs = [
  [kernels, sourceHash, buildKernels],
  [worker, () => hashOf(workerSources), buildWorker],
];
for (const [target, hash, build] of outputs) {
  if (process.argv.includes('--hash')) {
    if (!readFileSync(target, 'utf8').includes(`Sources: ${hash()} `)) fail(target);
  } else if (process.argv.includes('--check')) {
    if (readFileSync(target, 'utf8') !== (await build())) fail(target);
  } else writeFileSync(target, await build());
}
