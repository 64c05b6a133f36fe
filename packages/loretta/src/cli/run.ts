/** The command line as a function of its words. */
import { createRequire } from 'node:module';
import type { Command } from './command';
import { completionOf } from './completion';
import { config } from './config';
import { data } from './data';
import { report, UsageError } from './errors';
import { evaluate } from './evaluate';
import { experiments } from './experiments';
import { generate } from './generate';
import { overview } from './help';
import { impute } from './impute';
import { inspect } from './inspect';
import { reportCommand } from './report';
import { start } from './start';
import { tokenize } from './tokenize';
import { train } from './train';

/** In the order of the help page. */
const GROUPS: readonly (readonly [string, readonly Command[]])[] = [
  ['TRAIN AND COMPARE', [start, train, evaluate, experiments, reportCommand]],
  ['USE A MODEL', [generate, impute]],
  ['LOOK INTO THINGS', [data, inspect, tokenize, config]],
];
const completion = completionOf(GROUPS.flatMap(([, commands]) => commands));
const COMMANDS: readonly Command[] = [...GROUPS.flatMap(([, commands]) => commands), completion];

/** Runs the command that the words name; resolves to the exit code: 0 done, 1 failed, 2 used wrongly. */
export async function runCli(words: readonly string[]): Promise<number> {
  try {
    await dispatch(words);
    return 0;
  } catch (error) {
    return report(error);
  }
}

async function dispatch([name, ...rest]: readonly string[]): Promise<void> {
  const names = COMMANDS.map((c) => c.name).join(', ');
  if (name === undefined) throw new UsageError(`give a command: ${names}; see loretta --help`);
  if (isHelp(name)) return console.log(page());
  if (name === '--version') return console.log(version());
  const found = COMMANDS.find((c) => c.name === name);
  if (found === undefined) throw new UsageError(`there is no command '${name}': give ${names}`);
  if (rest.some(isHelp)) return console.log(found.help());
  await found.run(rest);
}

const isHelp = (word: string): boolean => word === '--help' || word === '-h';

function page(): string {
  return overview(
    'Link modalities that were never seen together (LoReTTa, NeurIPS 2023).',
    [...GROUPS, ['SHELL', [completion]]],
    [
      'Exit codes: 0 done, 1 failed, 2 used wrongly, 130 stopped by Ctrl-C. Results go to standard output,',
      'progress to standard error; --json prints one object for scripts, NO_COLOR=1 takes colours away.',
    ],
  );
}

function version(): string {
  const manifest: unknown = createRequire(import.meta.url)('@loretta-ts/loretta/package.json');
  return (manifest as { version: string }).version;
}
