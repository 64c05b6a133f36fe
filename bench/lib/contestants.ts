/** Who takes part: our builds on one and on all threads, and the peers that are found or can be installed. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { findPython, type Python } from './pytorch';
import { benchRoot } from './workspace';

export interface Contestant {
  readonly name: string;
  readonly ours: boolean;
  readonly threads: number;
  readonly command: readonly [file: string, ...args: string[]];
}

export interface Field {
  readonly contestants: readonly Contestant[];
  /** Peers that cannot take part, and why. */
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
}

/** A peer before it is known whether it runs here. */
interface Peer {
  readonly name: string;
  readonly threads: readonly number[];
  /** Why it cannot run; null when it can. */
  find(): string | null;
  command(threads: number): Contestant['command'];
}

const folder = join(benchRoot, 'peers');
const torchScript = join(folder, 'pytorch.py');
const cores = availableParallelism();
const both = cores > 1 ? [1, cores] : [1];

const relaxedFlag = '--experimental-wasm-relaxed-simd';

/** Node 20 has relaxed SIMD behind a flag, later ones have it (and not the flag). */
function relaxedArgs(): string[] {
  return v8Before(11, 4) ? [relaxedFlag] : [];
}

function v8Before(major: number, minor: number): boolean {
  const [a = 0, b = 0] = process.versions.v8.split('.').map(Number);
  return a < major || (a === major && b < minor);
}

/** Our contestants; `profile` puts clocks around kernels. */
export function ours(
  child: string,
  threads: readonly number[] = both,
  profile = false,
): Contestant[] {
  return threads.flatMap((n) =>
    (['simd', 'relaxed-simd'] as const).map((simd): Contestant => {
      const flags = simd === 'simd' ? [] : relaxedArgs();
      const settings = JSON.stringify({ simd, threads: n, profile });
      const label = simd === 'simd' ? 'SIMD' : 'relaxed';
      return {
        ...{ name: `loretta-ts ${label}`, ours: true, threads: n },
        command: [process.execPath, ...flags, child, settings],
      };
    }),
  );
}

const nodePeer = (name: string, file: string, pkg: string, threads: readonly number[]): Peer => ({
  ...{ name, threads },
  find: () => installed(pkg),
  command: (n) => [process.execPath, join(folder, file), JSON.stringify({ threads: n })],
});

const PEERS: readonly Peer[] = [
  {
    ...{ name: 'torch', threads: both },
    find: () => (python() === null ? 'no python3 here imports torch and numpy' : null),
    command(threads) {
      const { file, core } = python()!;
      return [file, torchScript, JSON.stringify({ threads, core })];
    },
  },
  nodePeer('tfjs', 'tfjs.mjs', '@tensorflow/tfjs-backend-wasm', [1]),
  nodePeer('jax-js', 'jax.mjs', '@jax-js/jax', [1]),
  nodePeer('onnx', 'onnx.mjs', 'onnxruntime-node', both),
];

/** @param wanted names of peers; null is all that the subject has */
export function findPeers(subject: readonly string[], wanted: readonly string[] | null): Field {
  const contestants: Contestant[] = [];
  const missing: Field['missing'][number][] = [];
  for (const peer of PEERS) {
    if (!subject.includes(peer.name) || wanted?.includes(peer.name) === false) continue;
    const reason = peer.find();
    if (reason !== null) missing.push({ name: peer.name, reason });
    else {
      for (const threads of peer.threads) {
        contestants.push({ name: peer.name, ours: false, threads, command: peer.command(threads) });
      }
    }
  }
  return { contestants, missing };
}

let found: Python | null | undefined;

function python(): Python | null {
  if (found === undefined) found = findPython(torchScript);
  return found;
}

let attempted: string | null = null;

/** Installs the Node peers once; null when the package is there. */
export function installed(pkg: string): string | null {
  const there = (): boolean => existsSync(join(folder, 'node_modules', pkg, 'package.json'));
  if (there()) return null;
  if (attempted === null) {
    console.error('installing the peers of bench/peers/package.json …');
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const flags = ['--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund'];
    const { status, stderr } = spawnSync(npm, ['install', ...flags], {
      cwd: folder,
      encoding: 'utf8',
    });
    const error = /npm error (?!code)(.*)/.exec(stderr ?? '')?.[1] ?? '';
    attempted = `npm install ended with ${status ?? 'no code'} ${error}`.trim();
  }
  return there() ? null : `${pkg} is not installed: ${attempted}`;
}
