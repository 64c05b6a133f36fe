/** The options that all subjects with peers share. */
import { parseArgs } from 'node:util';

export interface Options {
  /** Alternating rounds. */
  readonly rounds: number;
  /** Milliseconds that one sample takes at least. */
  readonly sample: number;
  /** Milliseconds after which a slow contestant gets no further rounds of a case (but two in all). */
  readonly budget: number;
  readonly quick: boolean;
  readonly json: boolean;
  readonly save: boolean;
  /** Names of peers to run; null is all. */
  readonly peers: readonly string[] | null;
  readonly presets: readonly ('S' | 'M')[];
}

const PEERS: readonly string[] = ['torch', 'tfjs', 'jax-js', 'onnx'];
const usage = `options: --rounds N (7)  --peers torch,tfjs,jax-js,onnx or none  --preset S,M  --quick  --json  --save`;

/** Ends the process with a usage line for options that do not exist. */
export function readOptions(): Options {
  try {
    return parse();
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}

function parse(): Options {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      peers: { type: 'string' },
      preset: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
    },
  });
  const { quick, json, save } = values;
  const rounds = Number(values.rounds ?? (quick ? 3 : 7));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is no positive integer');
  const presets = (values.preset ?? (quick ? 'S' : 'S,M')).split(',');
  for (const p of presets) {
    if (p !== 'S' && p !== 'M') throw new Error(`no preset ${p}: there are S and M`);
  }
  const peers =
    values.peers === undefined ? null : values.peers.split(',').filter((p) => p !== 'none');
  const unknown = peers?.find((p) => !PEERS.includes(p));
  if (unknown !== undefined) throw new Error(`no peer ${unknown}: there are ${PEERS.join(', ')}`);
  return {
    ...{ rounds, quick, json, save, peers },
    sample: quick ? 100 : 300,
    budget: quick ? 8_000 : 40_000,
    presets: presets as ('S' | 'M')[],
  };
}
