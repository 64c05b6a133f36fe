/** `loretta generate`: one modality from any others with a run, or text with a pretrained model. */
import type { ArgsDef } from 'citty';
import { command } from './command';
import { UsageError } from './errors';
import { armArgs, generateModality } from './generate-modality';
import { generateText, textArgs } from './generate-text';
import { samplingArgs } from './sampling';

export const generate = command({
  name: 'generate',
  description: 'Generate one modality from any others with a trained arm, or text with --model',
  examples: [
    'loretta generate --from speech --to image --input three.wav --out three.png',
    'loretta generate --from speech --to image --row 12 --out 12.png',
    'loretta generate --from image --to text --input digit.png --json',
    'loretta generate --from speech,text --speech 3.wav --text "drei" --to image --guidance speech:2,text:1.5 --out 3.png',
    'loretta generate --from none --to image --out any.png          without a condition',
    'loretta generate --from speech --row 12 --to image --best 16   ranked by mutual information',
    'loretta generate --from speech --row 12 --via text --to image --chains 8   over the link, by consensus',
    'loretta generate --model stories260K --prompt "Once upon a time" --greedy',
    'loretta generate --model gpt2 --prompt "The sea" --temperature 0.8 --top-p 0.9 --seed 1',
  ],
  args: {
    ...armArgs,
    ...textArgs,
    ...samplingArgs,
    json: { type: 'boolean', description: 'Print one line of JSON with the ids', default: false },
  },
  async main(args) {
    const { model } = args;
    const others: ArgsDef = model === undefined ? textArgs : armArgs;
    const foreign = Object.entries(others).find(
      ([name, { default: unset }]: [string, { default?: unknown }]) =>
        args[name as keyof typeof args] !== unset,
    )?.[0];
    if (foreign !== undefined) {
      throw new UsageError(
        model === undefined
          ? `--${foreign} needs --model DIR`
          : `--${foreign} is for a run: leave it out, or leave --model out`,
      );
    }
    if (model === undefined) await generateModality(args);
    else await generateText({ ...args, model });
  },
});
