/** `loretta data`: what a data set holds, and the proof that the pair is never seen. */
import { loadData } from '../node/load-data';
import { useBackend } from './backend';
import { command } from './command';
import { dataArgs, dataChoice, integer, runArgs } from './options';
import { onData, progress } from './progress';

export const data = command({
  name: 'data',
  description: 'Describe a data set: sizes, tokens, pairs, licences',
  examples: ['loretta data', 'loretta data --data ../data --texts sotu --json'],
  args: { ...dataArgs, seed: runArgs.seed, quick: runArgs.quick, json: runArgs.json },
  main,
});

type Args = Parameters<typeof dataChoice>[0] & {
  readonly seed?: string | undefined;
  readonly json: boolean;
};

async function main(args: Args): Promise<void> {
  const choice = dataChoice(args, integer('seed', args.seed ?? '0'));
  useBackend('cpu'); // for learned tokenizers
  const bar = progress(args.json);
  try {
    const loaded = await loadData(choice, { onEvent: onData(bar) });
    bar.stop();
    const modalities = Object.values(loaded.modalities).map((m) => ({
      name: m.name,
      source: m.source,
      tokens: m.describe,
      vocabulary: m.vocabSize,
      length: m.maxLength,
      train: m.train.labels.length,
      test: m.test.labels.length,
      credit: m.credit,
    }));
    const pairs = loaded.pairs.map((p) => ({ modalities: p.modalities, size: p.size }));
    const described = { modalities, pairs, neverSeen: loaded.unseen, test: loaded.test.size };
    if (args.json) {
      console.log(JSON.stringify(described));
      return;
    }
    for (const m of modalities) {
      console.log(
        `${m.name}  ${m.source}: ${m.tokens}; ${m.vocabulary} ids, ${m.length} tokens; ${m.train} to train, ${m.test} to test`,
      );
      console.log(`    ${m.credit}`);
    }
    for (const p of pairs) console.log(`pairs ${p.modalities.join(' – ')}: ${p.size}`);
    console.log(
      `never seen together: ${loaded.unseen.join(' – ')} (checked); aligned test rows: ${loaded.test.size}`,
    );
  } finally {
    bar.stop();
  }
}
