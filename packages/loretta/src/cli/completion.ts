/** `loretta completion`: what a shell needs to complete commands and options. */
import type { ArgsDef } from 'citty';
import { type Command, command } from './command';
import { oneOf } from './options';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** The command; it knows the others and itself. @param commands all other commands */
export function completionOf(commands: readonly Command[]): Command {
  const own: Command = command({
    name: 'completion',
    description: 'Print the completion script of a shell: bash, zsh or fish',
    examples: [
      'loretta completion bash >> ~/.bashrc',
      'loretta completion zsh >> ~/.zshrc',
      'loretta completion fish > ~/.config/fish/completions/loretta.fish',
    ],
    args: {
      shell: {
        type: 'positional',
        description: `One of ${SHELLS.join(', ')}`,
        valueHint: 'SHELL',
        required: true,
      },
    },
    async main({ shell }) {
      const all = [...commands, own];
      const kind = oneOf('SHELL', shell, SHELLS);
      console.log(kind === 'fish' ? fish(all) : bash(all, kind === 'zsh'));
    },
  });
  return own;
}

const optionsOf = (args: ArgsDef): string[] =>
  Object.entries(args).flatMap(([key, { type }]) => (type === 'positional' ? [] : [`--${key}`]));

/** A word of the line, in bash. */
const wordAt = (index: string): string => `"\${COMP_WORDS[${index}]}"`;

/** Files are completed where an option or a word takes a value. */
function bash(commands: readonly Command[], zsh: boolean): string {
  const names = commands.map((c) => c.name).join(' ');
  const cases = commands.map(
    ({ name, args }) => `    ${name}) words="${[...optionsOf(args), '--help'].join(' ')}" ;;`,
  );
  return [
    ...(zsh ? ['autoload -U +X compinit bashcompinit && compinit && bashcompinit'] : []),
    '_loretta() {',
    `  local current=${wordAt('COMP_CWORD')} words=""`,
    '  COMPREPLY=()',
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    COMPREPLY=( $(compgen -W "${names} --help --version" -- "$current") )`,
    '    return',
    '  fi',
    `  case ${wordAt('1')} in`,
    ...cases,
    '  esac',
    '  case "$current" in',
    '    -*) COMPREPLY=( $(compgen -W "$words" -- "$current") ) ;;',
    '    *) COMPREPLY=( $(compgen -f -- "$current") ) ;;',
    '  esac',
    '}',
    'complete -o filenames -F _loretta loretta',
  ].join('\n');
}

function fish(commands: readonly Command[]): string {
  const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
  return commands
    .flatMap(({ name, description, args }) => [
      `complete -c loretta -n __fish_use_subcommand -a ${name} -d ${quote(description)}`,
      ...Object.entries(args).flatMap(([key, arg]) =>
        arg.type === 'positional'
          ? []
          : [
              `complete -c loretta -n '__fish_seen_subcommand_from ${name}' -l ${key}${arg.type === 'boolean' ? '' : ' -r'} -d ${quote(arg.description ?? '')}`,
            ],
      ),
    ])
    .join('\n');
}
