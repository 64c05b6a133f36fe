/**
 * Compiles assembly/ into src/wasm/kernels.generated.ts; with `--check` compares instead of writing, with `--hash`
 * only compares the hash of the sources (fast).
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'src/wasm/kernels.generated.ts');

/** SHA-256 of the sources, which the generated file carries. */
function sourceHash() {
  const hash = createHash('sha256');
  const folder = join(root, 'assembly');
  for (const name of readdirSync(folder).sort()) {
    if (name.endsWith('.ts')) hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex');
}

function fail() {
  console.error(
    'kernels.generated.ts is not what assembly/ compiles to: run scripts/build-wasm.mjs',
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

async function build() {
  const plain = await compile(['simd']);
  const relaxed = await compile(['simd', 'relaxed-simd']);
  console.log(`simd ${plain.wasm.length} bytes, relaxed-simd ${relaxed.wasm.length} bytes`);
  return `/** Made by scripts/build-wasm.mjs from assembly/; do not edit. Sources: ${sourceHash()} */
export interface WasmKernels {
${signatures(plain.types)}
}

export const simdKernels: string =
  '${plain.wasm.toString('base64')}';
export const relaxedSimdKernels: string =
  '${relaxed.wasm.toString('base64')}';
`;
}

if (process.argv.includes('--hash')) {
  if (!readFileSync(target, 'utf8').includes(`Sources: ${sourceHash()} `)) fail();
} else if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== (await build())) fail();
} else writeFileSync(target, await build());
