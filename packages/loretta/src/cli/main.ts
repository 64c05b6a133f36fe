/** The command line `loretta`. */
import { defineCommand, runMain } from 'citty';
import { data } from './data';
import { evaluate } from './evaluate';
import { generate } from './generate';
import { reportCommand } from './report';
import { start } from './start';
import { train } from './train';

const main = defineCommand({
  meta: {
    name: 'loretta',
    description: 'Link modalities that were never seen together (LoReTTa, NeurIPS 2023)',
  },
  subCommands: { start, train, evaluate, generate, report: reportCommand, data },
});

await runMain(main);
