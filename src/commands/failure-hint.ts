import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { hasSucceeded } from '../client/protocol.ts';
import type { StartedService } from '../client/started-service.ts';
import { findManifest } from '../manifest/locate.ts';
import { nearest } from '../manifest/nearest.ts';
import { readTree } from '../manifest/read.ts';
import type { ResolvedManifest, ResolvedService } from '../manifest/resolved.ts';
import type { StartResult } from '../operations/start/result.ts';
import { printable } from '../output/terminal/width.ts';
import { foldersUpwards } from '../project/inside.ts';
import {
  type ProgramPlace,
  placeOfCommand,
  similarProgram,
} from '../services/launch/unknown-program.ts';

/** Prints what to do about the failures of a start that the messages of the system do not explain. */
export function printHints(
  result: Pick<StartResult, 'services'>,
  manifest: ResolvedManifest,
): void {
  for (const hint of failureHints(result, manifest))
    process.stderr.write(`  → ${printable(hint)}\n`);
}

/** Lists the hints of `failureHint` for the services of a start that are not up. */
export function failureHints(
  { services }: Pick<StartResult, 'services'>,
  manifest: ResolvedManifest,
): readonly string[] {
  const failed = services.filter((service) => !hasSucceeded(service));
  const place = failed.length === 0 ? null : findManifest({ file: manifest.file });
  const tree = place?.kind === 'found' ? readTree(place).tree : null;
  const hints = failed.flatMap((service) => {
    const declared = manifest.services[service.name];
    const at = placeOfCommand(tree, service.name);
    return (declared && failureHint(service, declared, at)) ?? [];
  });
  return [...new Set(hints)];
}

/**
 * Says what to do about a failure that the messages of the system do not explain: a program that only the project has, a
 * script with the line ends of Windows, and what npm and Node say where a project is not installed, or is another folder.
 *
 * @param at where the command stands: `.devctl.json:3`
 * @returns null where none of them is the case
 */
export function failureHint(
  { lastLines, reason = null }: Pick<StartedService, 'lastLines'> & { reason?: string | null },
  { command, cwd, env = {} }: Pick<ResolvedService, 'command' | 'cwd'> & Partial<ProgramPlace>,
  at: string | null = null,
): string | null {
  const found = (pattern: RegExp): string | undefined =>
    lastLines.flatMap((line) => pattern.exec(line.trim())?.[1] ?? []).at(-1);
  const missing = found(NOT_FOUND) ?? NOT_IN_PATH.exec(reason ?? '')?.[1];
  const first = typeof command === 'string' ? command.trim().split(/\s+/)[0] : command[0];
  const script = [first, missing].find(
    (word) => word?.includes('/') && endsInCrlf(resolve(cwd, word)),
  );
  if (script !== undefined) {
    return `the first line of ${script} ends in CRLF, so the system looks for a program with that in its name: sed -i 's/\\r$//' ${resolve(cwd, script)}`;
  }
  const named = missing?.includes('/') ? undefined : missing;
  const folder = named && foldersUpwards(cwd).find((one) => existsSync(join(one, BIN, named)));
  if (folder) return `${named} is in ${join(folder, BIN)}: "command": "npx ${named} …" starts it`;
  const isUnknown = named !== undefined || found(NO_MODULE) !== undefined;
  // A log may have the same words about anything else.
  const isProgram = named !== undefined && /\bcode 127\b|was not found in PATH/.test(reason ?? '');
  const meant = isProgram ? similarProgram(named, { cwd, env }) : null;
  const stands = at === null ? '' : ` (${at})`;
  if (meant !== null) return `"${named}" was not found${stands}: did you mean ${meant}?`;
  if (isUnknown) {
    return installHint(cwd) ?? (isProgram ? `"${named}" was not found on PATH${stands}` : null);
  }
  const noScript = found(NO_SCRIPT);
  if (noScript !== undefined) return scriptHint(noScript, cwd);
  return found(NO_PACKAGE) === undefined ? null : packageHint(cwd);
}

const BIN = join('node_modules', '.bin');

/** The words of a shell that has not found a program, as dash and bash have them. */
const NOT_FOUND = /(?:^|: )([\w@./-]+): (?:command )?not found$/;
/** The words of devctl for a command without a shell. */
const NOT_IN_PATH = /^command "([^"/]+)" was not found in PATH$/;
/** The words of Node for a package that is not installed. A path is a file of the project. */
const NO_MODULE = /Cannot find (?:module|package) '([^'./][^']*)'/;
/** The words of npm, pnpm and yarn for a script that package.json does not have. */
const NO_SCRIPT = /(?:Missing script: "?|script named "|Command ")([^"\s]+)"?(?: not found)?\.?$/;
/** The words of npm where there is no package.json. */
const NO_PACKAGE = /(Could not read package\.json: Error: ENOENT)/;

/** The command that installs the packages of a project, by its lock file. */
const INSTALLS: readonly (readonly [lock: string, command: string])[] = [
  ['pnpm-lock.yaml', 'pnpm install'],
  ['yarn.lock', 'yarn install'],
  ['bun.lock', 'bun install'],
  ['package.json', 'npm install'],
];

/** Says how to install the packages of the project around a folder; null where they are installed. */
function installHint(cwd: string): string | null {
  const around = foldersUpwards(cwd);
  if (around.some((one) => existsSync(join(one, 'node_modules')))) return null;
  for (const folder of around) {
    const install = INSTALLS.find(([file]) => existsSync(join(folder, file)));
    if (install) return `its packages are not installed: cd ${folder} && ${install[1]}`;
  }
  return null;
}

/** Names the scripts that there are instead. */
function scriptHint(script: string, cwd: string): string | null {
  const folder = foldersUpwards(cwd).find((one) => existsSync(join(one, 'package.json')));
  const scripts = folder === undefined ? [] : scriptsIn(join(folder, 'package.json'));
  const meant = nearest(script, scripts) ?? scripts.find((one) => /^(dev|start|serve)$/.test(one));
  if (meant === undefined) return null;
  const others = scripts.length > 10 ? [...scripts.slice(0, 10), '…'] : scripts;
  return `package.json has no script "${script}", but ${others.join(', ')}: "command": "npm run ${meant}"`;
}

function scriptsIn(file: string): readonly string[] {
  try {
    return Object.keys(JSON.parse(readFileSync(file, 'utf8')).scripts ?? {});
  } catch {
    return [];
  }
}

/** Names the folder below that has a package.json. */
function packageHint(cwd: string): string {
  const below = foldersIn(cwd).find((one) => existsSync(join(cwd, one, 'package.json')));
  return below === undefined
    ? `there is no package.json in ${cwd}: name its folder with "cwd", or make one: npm init -y`
    : `there is no package.json in ${cwd}, but one in ${below}: "cwd": ${JSON.stringify(below)}`;
}

function foldersIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    const folders = entries.filter((one) => one.isDirectory() && !one.name.startsWith('.'));
    return folders.map(({ name }) => name).filter((name) => name !== 'node_modules');
  } catch {
    return [];
  }
}

/** Tells whether a file is a script whose first line ends in CRLF. */
function endsInCrlf(file: string): boolean {
  try {
    if (!statSync(file).isFile()) return false;
    const fd = openSync(file, 'r');
    try {
      const head = Buffer.alloc(256);
      const size = readSync(fd, head, 0, head.length, 0);
      return /^#![^\n]*\r\n/.test(head.toString('latin1', 0, size));
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}
