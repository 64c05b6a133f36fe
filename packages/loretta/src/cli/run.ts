/** The command line as a function of its words. */
import { createRequire } from 'node:module';
import { stripVTControlCharacters } from 'node:util';
import { defineCommand, renderUsage } from 'citty';
import pc from 'picocolors';
import type { Command } from './command';
import { config } from './config';
import { data } from './data';
import { report, UsageError } from './errors';
import { evaluate } from './evaluate';
import { experiments } from './experiments';
import { generate } from './generate';
import { impute } from './impute';
import { reportCommand } from './report';
import { start } from './start';
import { train } from './train';

const COMMANDS: readonly Command[] = [
  start,
  train,
  evaluate,
  generate,
  impute,
  reportCommand,
  experiments,
  data,
  config,
];

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
  if (isHelp(name)) return print(await overview());
  if (name === '--version') return print(version());
  const found = COMMANDS.find((c) => c.name === name);
  if (found === undefined) throw new UsageError(`there is no command '${name}': give ${names}`);
  if (rest.some(isHelp)) return print(await found.help());
  await found.run(rest);
}

const isHelp = (word: string): boolean => word === '--help' || word === '-h';

function overview(): Promise<string> {
  const meta = {
    name: 'loretta',
    description: 'Link modalities that were never seen together (LoReTTa, NeurIPS 2023)',
  };
  const subCommands = Object.fromEntries(
    COMMANDS.map(({ name, description }) => [name, defineCommand({ meta: { name, description } })]),
  );
  return renderUsage(defineCommand({ meta, subCommands }));
}

function version(): string {
  const manifest: unknown = createRequire(import.meta.url)('@loretta-ts/loretta/package.json');
  return (manifest as { version: string }).version;
}

/** Colours only where they are wanted: on a terminal, without NO_COLOR. */
function print(text: string): void {
  console.log(pc.isColorSupported ? text : stripVTControlCharacters(text));
}
