import { isSimpleCommand } from './simple-command.ts';

type Command = string | readonly string[];

/**
 * Returns the argument vector to execute: a string goes through the shell, a list is taken as it is. The shell becomes
 * the program where there is only one: another process a service would cost memory, and each look would read it.
 */
export function toArgv(command: Command): readonly string[] {
  if (typeof command !== 'string') return command;
  return ['/bin/sh', '-c', isSimpleCommand(command) ? `exec ${command}` : command];
}

/** Formats a command as a person would write it, for messages only. */
export function commandLine(command: Command): string {
  if (typeof command === 'string') return command;
  return command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
