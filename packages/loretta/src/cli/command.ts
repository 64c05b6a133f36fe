/** What all commands have in common: strict options, and help with examples. */
import { parseArgs } from 'node:util';
import { type ArgsDef, defineCommand, type ParsedArgs, renderUsage, runCommand } from 'citty';
import { UsageError } from './errors';

/** A command of `loretta`. */
export interface Command {
  readonly name: string;
  /** One line. */
  readonly description: string;
  /** Runs it on the words after its name. @throws UsageError for wrong words, and what the work throws */
  run(words: readonly string[]): Promise<void>;
  help(): Promise<string>;
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
    name,
    description,
    async run(words) {
      refuseUnknown(name, args, words);
      await runCommand(definition, { rawArgs: [...words] });
    },
    async help() {
      const usage = await renderUsage(definition, { meta: { name: 'loretta' } });
      return [usage.trimEnd(), '', 'EXAMPLES', '', ...examples.map((e) => `  ${e}`)].join('\n');
    },
  };
}

/** citty lets unknown options, missing values and stray words pass; the strict parser of Node does not. */
function refuseUnknown(name: string, args: ArgsDef, words: readonly string[]): void {
  const options = Object.fromEntries(
    Object.entries(args).map(([key, { type }]) => [
      key,
      { type: type === 'boolean' ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  try {
    parseArgs({ args: [...words], options, strict: true, allowPositionals: false });
  } catch (error) {
    const [what] = (error as Error).message.split(/\.\s|\n/);
    throw new UsageError(`${what}: see loretta ${name} --help`);
  }
}
