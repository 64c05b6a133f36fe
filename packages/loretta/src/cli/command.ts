/** What all commands have in common: strict options, and help with examples. */
import { parseArgs } from 'node:util';
import { type ArgsDef, defineCommand, type ParsedArgs, runCommand } from 'citty';
import { UsageError } from './errors';
import { type CommandHelp, commandHelp } from './help';

/** A command of `loretta`. */
export interface Command extends CommandHelp {
  /** Runs it on the words after its name. @throws UsageError for wrong words, and what the work throws */
  run(words: readonly string[]): Promise<void>;
  help(): string;
}

/** What a command is made of. */
export interface CommandSpec<T extends ArgsDef> {
  readonly name: string;
  readonly description: string;
  readonly examples: readonly string[];
  readonly args: T;
  main(args: ParsedArgs<T>): Promise<void>;
}

/** A command from its options and its work. */
export function command<const T extends ArgsDef>(spec: CommandSpec<T>): Command {
  const { name, description, examples, args } = spec;
  const definition = defineCommand({
    meta: { name, description },
    args,
    run: (context) => spec.main(context.args),
  });
  return {
    ...{ name, description, examples, args },
    async run(words) {
      refuseUnknown(name, args, words);
      await runCommand(definition, { rawArgs: [...words] });
    },
    help: () => commandHelp(spec),
  };
}

/** citty lets unknown options, missing values and stray words pass; the strict parser of Node does not. */
function refuseUnknown(name: string, args: ArgsDef, words: readonly string[]): void {
  const entries = Object.entries(args);
  const places = entries.filter(([, { type }]) => type === 'positional');
  const options = Object.fromEntries(
    entries
      .filter(([, { type }]) => type !== 'positional')
      .map(([key, { type }]) => [
        key,
        { type: type === 'boolean' ? ('boolean' as const) : ('string' as const) },
      ]),
  );
  const see = `see loretta ${name} --help`;
  let given: number;
  try {
    const allowPositionals = places.length > 0;
    given = parseArgs({ args: [...words], options, strict: true, allowPositionals }).positionals
      .length;
  } catch (error) {
    const [what] = (error as Error).message.split(/\.\s|\n/);
    throw new UsageError(`${what}: ${see}`);
  }
  const needed = places.filter(([, arg]) => arg.required !== false);
  if (given < needed.length) {
    const [key, arg] = needed[given]!;
    throw new UsageError(`${arg.valueHint ?? key.toUpperCase()} is missing: ${see}`);
  }
  if (given > places.length) {
    throw new UsageError(`${given} words where ${places.length} are taken: quote texts; ${see}`);
  }
}
