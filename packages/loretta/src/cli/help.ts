/** Help pages: one layout for all commands, wrapped to the terminal. */
import type { ArgsDef } from 'citty';
import pc from 'picocolors';

/** Widest page. */
const MOST = 100;
/** Column at which descriptions begin, at most. */
const INDENT = 30;

/** What a page says of a command. */
export interface CommandHelp {
  readonly name: string;
  /** One line. */
  readonly description: string;
  readonly args: ArgsDef;
  /** Command lines with an optional remark after two spaces. */
  readonly examples: readonly string[];
}

/** How an option is written: `--seed N`, `--quick`, `FILE`. */
function optionForm(key: string, arg: ArgsDef[string]): string {
  if (arg.type === 'positional') return arg.valueHint ?? key.toUpperCase();
  if (arg.type === 'boolean') return `--${key}`;
  return `--${key} ${arg.valueHint ?? key.replace(/^.*-/, '').toUpperCase()}`;
}

/** The page of one command. */
export function commandHelp({ name, description, args, examples }: CommandHelp): string {
  const entries = Object.entries(args);
  const positionals = entries.filter(([, arg]) => arg.type === 'positional');
  const usage = [
    `loretta ${name}`,
    ...positionals.map(([key, arg]) =>
      arg.required === false ? `[${optionForm(key, arg)}]` : optionForm(key, arg),
    ),
    '[options]',
  ].join(' ');
  const row = ([key, arg]: [string, ArgsDef[string]]): readonly [string, string] => {
    const shown = arg.type === 'string' && arg.default !== undefined ? ` [${arg.default}]` : '';
    return [optionForm(key, arg), `${arg.description ?? ''}${shown}`];
  };
  const options = entries.filter(([, arg]) => arg.type !== 'positional').map(row);
  return [
    `${description}.`,
    '',
    pc.bold('USAGE'),
    `  ${usage}`,
    ...(positionals.length === 0
      ? []
      : ['', pc.bold('ARGUMENTS'), ...columns(positionals.map(row))]),
    '',
    pc.bold('OPTIONS'),
    ...columns([...options, ['--help', 'Show this page']]),
    '',
    pc.bold('EXAMPLES'),
    ...examples.map((e) => `  ${e}`),
  ].join('\n');
}

/** The page of the whole program. @param groups commands under a heading each */
export function overview(
  about: string,
  groups: readonly (readonly [string, readonly CommandHelp[]])[],
  notes: readonly string[],
): string {
  return [
    about,
    '',
    pc.bold('USAGE'),
    '  loretta COMMAND [options]',
    '  loretta COMMAND --help',
    ...groups.flatMap(([heading, commands]) => [
      '',
      pc.bold(heading),
      ...columns(commands.map((c) => [c.name, c.description] as const)),
    ]),
    '',
    ...notes,
  ].join('\n');
}

/** Two columns; a description goes on under itself, and on the next line where the first column is too wide. */
function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(Math.max(...rows.map(([left]) => left.length)), INDENT);
  const room = Math.max(30, Math.min(process.stdout.columns ?? MOST, MOST) - width - 4);
  return rows.flatMap(([left, right]) => {
    const lines = wrap(right, room);
    const first = left.length > width ? [`  ${left}`] : [];
    const rest = lines.map((line, i) => {
      const label = i === 0 && first.length === 0 ? left : '';
      return `  ${label.padEnd(width)}  ${line}`.trimEnd();
    });
    return [...first, ...rest];
  });
}

function wrap(text: string, room: number): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
