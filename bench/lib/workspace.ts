/** Files of a run in a temporary folder: our child as one file for a plain Node, and initial weights. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { cpu } from '@loretta-ts/backend-cpu';
import { withBackend } from '@loretta-ts/core';
import { serializeSafetensors, toHost } from '@loretta-ts/nn';
import { makeDecoder, PRESETS } from './model';

export const benchRoot: string = resolve(import.meta.dirname, '..');
export const root: string = resolve(benchRoot, '..');

export interface Workspace {
  /** Our child, bundled from the sources. */
  readonly child: string;
  /** A safetensors file of the weights that `makeDecoder` draws. */
  weights(size: keyof typeof PRESETS): Promise<string>;
}

/** The folder goes when the process ends. */
export function makeWorkspace(): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'loretta-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const child = join(folder, 'child.mjs');
  bundle(join(benchRoot, 'ours/child.ts'), child);
  return {
    child,
    async weights(size) {
      const path = join(folder, `${size}.safetensors`);
      const backend = cpu({ threads: 1 });
      const decoder = withBackend(backend, () => makeDecoder(PRESETS[size]));
      const tensors = await toHost(decoder.stateDict());
      writeFileSync(path, serializeSafetensors(tensors));
      await backend.dispose();
      return path;
    },
  };
}

function bundle(entry: string, outfile: string): void {
  const esbuild = join(root, 'node_modules/esbuild/bin/esbuild');
  const flags = ['--bundle', '--platform=node', '--target=node20', '--format=esm'];
  const more = ['--conditions=loretta-source', '--log-level=error', `--outfile=${outfile}`];
  const argv = [esbuild, entry, ...flags, ...more];
  const { status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`esbuild cannot bundle ${entry}: ${stderr}`);
}
