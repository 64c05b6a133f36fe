/** `loretta generate --model`: text from a pretrained model, written as it is generated. */
import { resolve } from 'node:path';
import { type Key, key, tensor } from '@loretta-ts/core';
import { generateStream } from '@loretta-ts/nn';
import { TextStream } from '@loretta-ts/tokenizers';
import type { ArgsDef } from 'citty';
import type { SamplingFilters } from '../infer/decode';
import { type LanguageModel, loadLanguageModel } from '../node/pretrained';
import { useBackend } from './backend';
import { UsageError } from './errors';
import { count, integer } from './options';
import { filtersOf, type SamplingArgs } from './sampling';

/** Options of `loretta generate` that belong to a pretrained model. */
export const textArgs = {
  model: {
    type: 'string',
    valueHint: 'DIR',
    description:
      'Folder of a pretrained model: Hugging Face (Llama, Mistral, GPT-2, Mamba) or llama2.c, with its tokenizer',
  },
  prompt: { type: 'string', valueHint: 'TEXT', description: 'Text to go on from (with --model)' },
  greedy: {
    type: 'boolean',
    description: 'Take the most likely token each time (with --model)',
    default: false,
  },
  'max-tokens': {
    type: 'string',
    valueHint: 'N',
    description: 'New tokens, at most, and no more than the model has room for (with --model)',
    default: '256',
  },
} as const satisfies ArgsDef;

interface Args extends SamplingArgs {
  readonly model: string;
  readonly prompt?: string | undefined;
  readonly greedy: boolean;
  readonly 'max-tokens': string;
  readonly json: boolean;
}

/** @throws UsageError, and what loading throws */
export async function generateText(args: Args): Promise<void> {
  const { prompt } = args;
  if (prompt === undefined) throw new UsageError('--model needs --prompt TEXT');
  const choice = sampling(args);
  const most = count('max-tokens', args['max-tokens']);
  useBackend(args.backend);
  const { model, tokenizer, ...lm } = await loadLanguageModel(resolve(args.model));
  const ids = promptIds({ tokenizer, ...lm }, prompt);
  const room = roomFor(model.config.maxLength, ids.length);
  const out = args.json ? null : new Output();
  const stream = new TextStream(tokenizer);
  let text = '';
  const say = async (piece: string): Promise<boolean> => {
    text += piece;
    return out === null || (await out.write(piece));
  };
  const made = [...ids];
  let listening = await say(ids.map((id) => stream.push(id)).join(''));
  let ended = false;
  const steps = generateStream(model, tensor([ids], { dtype: 'i32' }), {
    ...choice,
    maxNewTokens: Math.min(most, room),
    stopIds: lm.eosIds,
    // a vocabulary that was rounded up has ids that no text has
    ...(tokenizer.vocabSize < model.config.vocab ? { allowed: [[0, tokenizer.vocabSize]] } : {}),
  });
  if (listening) {
    for await (const [id] of steps) {
      made.push(id!);
      ended = lm.eosIds.includes(id!);
      if (!ended) listening = await say(stream.push(id!));
      if (!listening) break;
    }
  }
  await say(stream.end());
  await out?.write('\n');
  if (!args.json) return;
  const stop = ended ? 'end' : most <= room ? 'length' : 'context';
  console.log(JSON.stringify({ ids: made, text, promptTokens: ids.length, stop }));
}

function sampling(args: Args): SamplingFilters & { readonly key: Key } {
  const { greedy, temperature, seed } = args;
  if (greedy && temperature !== undefined)
    throw new UsageError('give either --greedy or --temperature');
  const filters = filtersOf(args);
  return { ...filters, ...(greedy ? { temperature: 0 } : {}), key: key(integer('seed', seed)) };
}

/** What goes before every prompt, and the prompt; an empty one is the beginning of a text. */
function promptIds(
  { tokenizer, prefix, bosId }: Omit<LanguageModel, 'model'>,
  prompt: string,
): number[] {
  const ids = [...prefix, ...tokenizer.encode(prompt)];
  if (ids.length > 0) return ids;
  if (bosId !== null) return [bosId];
  throw new UsageError('--prompt is empty, and the model names no token that begins a text');
}

/** Tokens that the model can add. @throws UsageError when the prompt leaves no room */
function roomFor(maxLength: number, prompt: number): number {
  // the last token is never read
  const room = maxLength + 1 - prompt;
  if (room >= 1) return room;
  throw new UsageError(
    `--prompt has ${prompt} tokens: the model reads ${maxLength}, give a shorter one`,
  );
}

/** Standard output that a reader may close early, as `head` does. */
class Output {
  #open = true;

  constructor() {
    process.stdout.on('error', () => {
      this.#open = false;
    });
  }

  /** Whether somebody still reads. */
  async write(text: string): Promise<boolean> {
    if (this.#open && text !== '') {
      await new Promise<void>((done) => {
        process.stdout.write(text, () => done());
      });
    }
    return this.#open;
  }
}
