/** `loretta config`: the settings of a run, to start a file from. */
import { command } from './command';
import { configFrom, runArgs } from './options';

export const config = command({
  name: 'config',
  description: 'Print the settings of a run as JSON: the defaults, or those of a file completed',
  examples: [
    'loretta config > settings.json',
    'loretta config --quick',
    'loretta config --config settings.json    checks the file and fills it in',
  ],
  args: { config: runArgs.config, quick: runArgs.quick, seed: runArgs.seed },
  async main(args) {
    console.log(JSON.stringify(configFrom(args), null, 2));
  },
});
