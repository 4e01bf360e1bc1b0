import type { ProposedService } from './proposal.ts';

/** No command is longer that a person has written. */
const MOST_CHARACTERS = 32 * 1024;

/** The variables by which devctl recognises its processes: no manifest may set them. */
const COOKIE = /^(TURBO_)?DEVCTL_(PROJECT|SERVICE|RUN)$/;

/**
 * Leaves out what no manifest accepts, because the files of other tools accept more: a variable without a name, a text
 * with NUL, a probe that is no URL.
 *
 * @returns null where nothing can be run
 */
export function toValidService(service: ProposedService): ProposedService | null {
  const { env = {}, cwd, ready = {}, stop = {}, ...rest } = service;
  const command = validCommand(service.command);
  if (command === null) return null;
  const variables = Object.entries(env).filter(
    ([name, value]) => /^[^=\0]+$/.test(name) && !COOKIE.test(name) && isText(value),
  );
  const probe = Object.entries(ready).filter(isValidProbe);
  const ending = Object.entries(stop).filter(isValidEnding);
  return {
    ...rest,
    command,
    ...(cwd === undefined || cwd === '' || !isText(cwd) ? {} : { cwd }),
    ...(variables.length > 0 ? { env: Object.fromEntries(variables) } : {}),
    ...(probe.length > 0 ? { ready: Object.fromEntries(probe) } : {}),
    ...(ending.length > 0 ? { stop: Object.fromEntries(ending) } : {}),
  };
}

function validCommand(command: ProposedService['command']): ProposedService['command'] | null {
  if (command.length > MOST_CHARACTERS || String(command).length > MOST_CHARACTERS) return null;
  if (typeof command === 'string') return isText(command) && /\S/.test(command) ? command : null;
  const [first = ''] = command;
  if (!command.every(isText) || !/\S/.test(first)) return null;
  // A whole command line as the only word of a list is meant for a shell.
  return command.length === 1 && /^[^\s/]+\s+\S/.test(first) ? first : command;
}

function isValidProbe([kind, value]: [string, string | number]): boolean {
  if (kind !== 'http') return isText(String(value)) && /\S/.test(String(value));
  return /^https?:\/\/./i.test(String(value)) && URL.canParse(String(value));
}

function isValidEnding([key, value]: [string, string | undefined]): boolean {
  if (value === undefined || !isText(value)) return false;
  return key === 'grace' ? /^\d+(\.\d+)?(ms|s)$/.test(value) : /\S/.test(value);
}

function isText(value: string): boolean {
  return !value.includes('\0');
}
