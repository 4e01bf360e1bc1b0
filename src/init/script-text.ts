import { readPattern } from '../patterns/pattern.ts';

/** The scripts of one package.json, by name. */
export type Scripts = Readonly<Record<string, string>>;

/** A script that calls another one calls at most so many below it: deeper ones go in a circle. */
const MOST_CALLS = 20;

const CALL =
  /(?:^|[\s;&|("'])(?:npm|pnpm|yarn|bun)\s+(?:(?:run|run-script)\s+)?(?:--?[\w-]+\s+)*([\w:.-]+)/g;

/** The names of the scripts of the same package that a text calls: `npm run build`, `yarn dev`, `pnpm start`. */
function calledScripts(scripts: Scripts, text: string): readonly string[] {
  const names = [...text.matchAll(CALL)].map(([, name = '']) => name);
  const byShort = [...text.matchAll(/\bnpm:([\w:.-]+)/g)].map(([, name = '']) => name);
  return [...names, ...byShort].filter((name) => Object.hasOwn(scripts, name));
}

/** A script with all scripts that it calls, those before and after it among them, as one text. */
export function wholeText(scripts: Scripts, name: string): string {
  const seen = new Set<string>();
  const queue = [name];
  for (const one of queue) {
    if (seen.has(one) || seen.size > MOST_CALLS) continue;
    seen.add(one);
    const around = [`pre${one}`, `post${one}`].filter((hook) => Object.hasOwn(scripts, hook));
    queue.push(...around, ...calledScripts(scripts, scripts[one] ?? ''));
  }
  return [...seen].map((one) => scripts[one] ?? '').join('\n');
}

const MONOREPO_TOOL =
  /(?:^|[\s;&|])(?:turbo|nx|lerna)\s|\b(?:pnpm|bun)\s(?:[^;&|]*\s)?(?:-r|--recursive|--filter|-F)\b|\bnpm\s[^;&|]*(?:--workspaces?|-ws?)\b|\byarn\s(?:workspaces?)\b|--prefix[\s=]|--cwd[\s=]|\brush\s|\bmoon\s/;

/** Tells whether a script of the root only runs those of folders below it. */
export function delegatesToFolders(text: string): boolean {
  return MONOREPO_TOOL.test(text) || /(?:^|[;&|(]\s*)cd\s+[\w./-]+\s*&&/.test(text);
}

/** The programs that keep several processes, with the files that they read. */
const MANAGERS: readonly (readonly [pattern: RegExp, files: readonly string[]])[] = [
  [/(?:^|[\s;&|/])(?:foreman|nf|overmind|hivemind|honcho)\b/, ['Procfile', 'Procfile.dev']],
  [/(?:^|[\s;&|/])mprocs\b/, ['mprocs.yaml', 'mprocs.yml', '.mprocs.yaml']],
  [/(?:^|[\s;&|/])process-compose\b/, ['process-compose.yaml', 'process-compose.yml']],
  [/(?:^|[\s;&|/])pm2(?:-dev|-runtime)?\b/, []],
];

/** Tells whether a script runs another manager of processes. */
export function runsManager(text: string): boolean {
  return MANAGERS.some(([pattern]) => pattern.test(text));
}

/** Tells whether a script only brings up containers. */
export function runsCompose(text: string): boolean {
  return /(?:^|[\s;&|])(?:docker[ -]compose|podman[ -]compose)\s/.test(text);
}

/** One part of a script that runs several commands side by side. */
export interface Part {
  /** The script of the same package that it runs; null: a command of its own. */
  readonly script: string | null;
  readonly command: string;
  readonly name: string | null;
  /** Variables that stand before the program that runs them side by side. */
  readonly env: Scripts;
}

/**
 * Takes a script apart that runs others side by side: `concurrently "npm:dev:*"`, `run-p dev:*`,
 * `npm-run-all --parallel a b`. Null: it is something else, or cannot be taken apart.
 */
export function sideBySide(scripts: Scripts, text: string): readonly Part[] | null {
  const words = wordsOf(text);
  if (words === null) return null;
  const start = words.findIndex((word) => !/^\w+=/.test(word) && !/^(?:cross-env|npx)$/.test(word));
  const [program = '', ...rest] = words.slice(Math.max(start, 0));
  const env = Object.fromEntries(
    words.slice(0, Math.max(start, 0)).flatMap((word) => {
      const at = word.indexOf('=');
      return at > 0 ? [[word.slice(0, at), word.slice(at + 1)] as const] : [];
    }),
  );
  const isAll = /^npm-run-all2?$/.test(program);
  if (isAll && !rest.some((word) => /^(?:-p|--parallel)$/.test(word))) return null;
  // A sequence before the parallel part would be lost.
  if (isAll && rest.some((word) => /^(?:-s|--sequential|--serial)$/.test(word))) return null;
  if (isAll && !/^(?:-p|--parallel)$/.test(rest.find((word) => !/^-[lnr]$/.test(word)) ?? ''))
    return null;
  if (program === 'run-p' || isAll) return partsOfScripts(scripts, rest, env);
  if (!/^(?:concurrently|conc)$/.test(program)) return null;
  return partsOfConcurrently(scripts, rest, env);
}

function partsOfScripts(
  scripts: Scripts,
  words: readonly string[],
  env: Scripts,
): readonly Part[] | null {
  const names = words.filter((word) => !word.startsWith('-'));
  const found = names.map((name) => matchingScripts(scripts, name));
  if (found.some((matching) => matching.length === 0)) return null;
  return [...new Set(found.flat())].map((script) => ({ script, command: '', name: null, env }));
}

/** Options of concurrently that take a value. */
const VALUED =
  /^(?:-n|--names|-c|--prefix-colors|-p|--prefix|-l|--prefix-length|-m|--max-processes|--restart-tries|--restart-after|-s|--success|--kill-signal|--ks|--default-input-target|--timings|-t|--timestamp-format|--handle-input|-i|-k|--kill-others|--kill-others-on-fail|-r|--raw|-g|--group|--hide|--no-color|-P|--passthrough-arguments|--teardown)$/;
const BARE =
  /^(?:--timings|--handle-input|-i|-k|--kill-others|--kill-others-on-fail|-r|--raw|-g|--group|--no-color|-P|--passthrough-arguments)$/;

function partsOfConcurrently(
  scripts: Scripts,
  words: readonly string[],
  env: Scripts,
): readonly Part[] | null {
  const commands: string[] = [];
  let names: readonly string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const inline = /^(?:--names|-n)=(.*)$/.exec(word)?.[1];
    if (inline !== undefined) names = inline.split(',');
    else if (BARE.test(word) || /^--[\w-]+=/.test(word)) continue;
    else if (VALUED.test(word)) {
      at += 1;
      if (/^(?:-n|--names)$/.test(word)) names = (words[at] ?? '').split(',');
    } else if (word.startsWith('-')) continue;
    else commands.push(word);
  }
  const isNamed = names.length === commands.length;
  const parts = commands.flatMap((command, index): readonly Part[] => {
    const name = isNamed ? (names[index]?.trim() ?? null) : null;
    const pattern =
      /^(?:npm|pnpm|yarn|bun|node):(\S+)$/.exec(command)?.[1] ??
      /^(?:npm|pnpm|yarn|bun) run ([\w:.*-]+)$/.exec(command)?.[1];
    const matching = pattern === undefined ? [] : matchingScripts(scripts, pattern);
    if (pattern !== undefined && matching.length > 0)
      return matching.map((script) => ({
        script,
        command: '',
        name: matching.length === 1 ? name : null,
        env,
      }));
    return [{ script: null, command, name, env }];
  });
  // A short form that names no script of this package is no command of its own.
  const isShort = parts.some(({ command }) => /^(?:npm|pnpm|yarn|bun|node|deno):/.test(command));
  return parts.length > 1 && !isShort ? parts : null;
}

/** The scripts that a pattern such as `dev:*` means, or `dev:**`. */
function matchingScripts(scripts: Scripts, pattern: string): readonly string[] {
  return matchingNames(Object.keys(scripts), pattern);
}

/** The names that a pattern such as `dev:*` means, or `dev:**`; without a star it is a name. */
export function matchingNames(names: readonly string[], pattern: string): readonly string[] {
  if (!pattern.includes('*')) return names.filter((name) => name === pattern);
  // Everything: a file pattern of another program.
  if (!/^[\w-]/.test(pattern)) return [];
  const source = pattern
    .split(/(\*\*?)/)
    .map((part) => (part === '**' ? '.+' : part === '*' ? '[^:]+' : quotedPattern(part)))
    .join('');
  const reading = readPattern(`^${source}$`);
  if (reading.kind !== 'pattern') return [];
  return names.filter((name) => reading.pattern.test(name) === true);
}

/** The words of a simple command line; null where the shell would have more to say: pipes, variables, several commands. */
function wordsOf(text: string): readonly string[] | null {
  const words: string[] = [];
  const matcher = /\s*(?:"((?:[^"\\$`]|\\.)*)"|'([^']*)'|((?:[^\s"'\\;&|<>()$`]|\\.)+))/y;
  const line = text.trim();
  while (matcher.lastIndex < line.length) {
    const at = matcher.lastIndex;
    const match = matcher.exec(line);
    if (!match) return null;
    const part = (match[1] ?? match[3])?.replace(/\\(.)/g, '$1') ?? match[2] ?? '';
    const isGlued = at > 0 && !/\s/.test(line[at] ?? '');
    if (isGlued) words.push(`${words.pop() ?? ''}${part}`);
    else words.push(part);
  }
  return words;
}

/** A text as a regular expression that matches it alone. */
export function quotedPattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
