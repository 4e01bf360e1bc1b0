import type { ResolvedService } from '../../manifest/resolved.ts';

/** Variables with which a program, or the person who set them, has decided about colours already. */
const COLOR_DECIDED = ['FORCE_COLOR', 'NO_COLOR', 'CLICOLOR'] as const;
/** An output that the shell takes into the command: `PORT=$(node -p 3000)` would take escape codes. */
const SUBSTITUTION = /\$\(|`/;

/**
 * Returns the variables that devctl adds to a service where its environment has no others of these names.
 *
 * - PYTHONUNBUFFERED, because Python keeps back what it prints into a file.
 * - FORCE_COLOR where a person sees the output: a log is no terminal, so no program would use colours. Never
 *   in CI, and never against a word of the environment.
 *
 * @param env the environment of the service, without these
 * @param onTerminal was the start made on a terminal?
 */
export function defaultVariables(
  { color, command }: Pick<ResolvedService, 'color' | 'command'>,
  env: Readonly<Record<string, string>>,
  onTerminal: boolean,
): Record<string, string> {
  const isDecided = env.TERM === 'dumb' || COLOR_DECIDED.some((name) => Object.hasOwn(env, name));
  const isTaken = typeof command === 'string' && SUBSTITUTION.test(command);
  const colored = color === 'auto' && onTerminal && !isDecided && !isTaken && !isCi(env.CI);
  return {
    ...(Object.hasOwn(env, 'PYTHONUNBUFFERED') ? {} : { PYTHONUNBUFFERED: '1' }),
    ...(colored ? { FORCE_COLOR: '1' } : {}),
  };
}

function isCi(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value);
}
