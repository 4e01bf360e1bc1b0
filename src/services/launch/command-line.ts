type Command = string | readonly string[];

/** Returns the argument vector to execute: a string goes through the shell, a list is taken as it is. */
export function toArgv(command: Command): readonly string[] {
  return typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
}

/** Formats a command as a person would write it, for messages only. */
export function commandLine(command: Command): string {
  if (typeof command === 'string') return command;
  return command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
