/** Options of sampling that `generate` and `impute` share. */
import type { ArgsDef } from 'citty';
import type { SvlName } from '../data/svlMnist';
import type { SamplingFilters } from '../infer/decode';
import type { GuidanceSetting } from '../infer/guidance';
import { UsageError } from './errors';
import { count, oneOf } from './options';
import { NAMES } from './samples';

/** How tokens are chosen. */
export const samplingArgs = {
  temperature: { type: 'string', valueHint: 'T', description: 'Sampling temperature (default: 1)' },
  'top-k': { type: 'string', valueHint: 'K', description: 'Keep the k most likely tokens' },
  'top-p': {
    type: 'string',
    valueHint: 'P',
    description: 'Keep the tokens that hold this probability together',
  },
  'min-p': {
    type: 'string',
    valueHint: 'P',
    description: 'Keep tokens this many times as likely as the best',
  },
  seed: { type: 'string', valueHint: 'N', description: 'Seed of sampling', default: '0' },
  backend: {
    type: 'string',
    valueHint: 'NAME',
    description: 'cpu, cpu:relaxed, cpu:none or reference',
    default: 'cpu',
  },
} as const satisfies ArgsDef;

/** Values of `samplingArgs`. */
export interface SamplingArgs {
  readonly temperature?: string | undefined;
  readonly 'top-k'?: string | undefined;
  readonly 'top-p'?: string | undefined;
  readonly 'min-p'?: string | undefined;
  readonly seed: string;
  readonly backend: string;
}

/** A number above 0. @throws UsageError */
export function positive(name: string, text: string): number {
  const x = Number(text);
  if (!(x > 0 && Number.isFinite(x)))
    throw new UsageError(`--${name} is '${text}': give a number above 0`);
  return x;
}

/** A number above 0, up to 1. @throws UsageError */
function share(name: string, text: string): number {
  const x = Number(text);
  if (!(x > 0 && x <= 1))
    throw new UsageError(`--${name} is '${text}': give a number above 0, up to 1`);
  return x;
}

/** The filters that the options set. @throws UsageError */
export function filtersOf(args: SamplingArgs): SamplingFilters {
  const { 'top-k': k, 'top-p': p, 'min-p': least } = args;
  return {
    temperature: positive('temperature', args.temperature ?? '1'),
    ...(k === undefined ? {} : { topK: count('top-k', k) }),
    ...(p === undefined ? {} : { topP: share('top-p', p) }),
    ...(least === undefined ? {} : { minP: share('min-p', least) }),
  };
}

/** Names of modalities, each once. @throws UsageError */
export function namesOf(option: string, text: string): SvlName[] {
  const names = text.split(',').map((word) => oneOf<SvlName>(option, word.trim(), NAMES));
  if (new Set(names).size < names.length)
    throw new UsageError(`--${option} ${text}: name each modality once`);
  return names;
}

/** One scale, or a scale for each condition: `speech:2,text:1.5`. @throws UsageError */
export function guidanceOf(text: string, from: readonly SvlName[]): GuidanceSetting {
  if (!text.includes(':')) {
    const scale = positive('guidance', text);
    return scale === 1 ? null : scale;
  }
  return text.split(',').map((part) => {
    const [name = '', scale = ''] = part.split(':');
    if (!from.some((x) => x === name.trim()))
      throw new UsageError(`--guidance ${part}: '${name}' is none of --from ${from.join(',')}`);
    return { given: [name.trim()], scale: positive('guidance', scale) };
  });
}
