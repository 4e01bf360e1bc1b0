import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { DevctlError } from '../errors.ts';
import { expandEnvFile } from '../manifest/env-expand.ts';
import { parseEnvFile } from '../manifest/env-grammar.ts';
import type { ContainerSettings } from '../manifest/resolved.ts';
import { readSource } from '../manifest/source.ts';
import { readYaml } from '../yaml.ts';
import {
  COMPOSE_NAMES,
  COMPOSE_OVERRIDES,
  type ComposeModel,
  interpolateWith,
  joinComposeFiles,
} from './compose-file.ts';
import { lastLine } from './engine.ts';
import { type LimitedEnd, runLimited } from './program.ts';

/** The compose files of a project, and what they say. */
export interface ComposeProject {
  /** Absolute paths, in their order. */
  readonly files: readonly string[];
  /** The folder of the first one: compose takes relative paths, `.env` and the name of the project from there. */
  readonly folder: string;
  readonly model: ComposeModel;
  /** COMPOSE_PROJECT_NAME, of the environment or of `.env`. */
  readonly nameInEnvironment: string | null;
}

/**
 * Finds and reads the compose files.
 *
 * @throws DevctlError 'manifest-invalid' with the file and the line
 */
export function readComposeProject(
  { files: named }: ContainerSettings,
  root: string,
  env: Readonly<Record<string, string | undefined>>,
): ComposeProject {
  const files = named.length > 0 ? named : findUsual(root);
  const [first] = files;
  if (first === undefined) {
    throw new DevctlError(
      'manifest-invalid',
      `there is no compose file in ${root}: make ${COMPOSE_NAMES[0]}, or name yours with "file"`,
    );
  }
  const folder = dirname(first);
  const variables = { ...readDotEnv(join(folder, '.env'), env), ...env };
  const model = joinComposeFiles(
    files.map((file) => readComposeFile(file, root)),
    interpolateWith(variables),
  );
  if ('why' in model)
    throw new DevctlError('manifest-invalid', `${relative(root, first) || first}: ${model.why}`);
  return { files, folder, model, nameInEnvironment: variables.COMPOSE_PROJECT_NAME || null };
}

function findUsual(root: string): readonly string[] {
  const first = (names: readonly string[]): readonly string[] =>
    names
      .map((name) => join(root, name))
      .filter((path) => existsSync(path))
      .slice(0, 1);
  const base = first(COMPOSE_NAMES);
  return base.length === 0 ? [] : [...base, ...first(COMPOSE_OVERRIDES)];
}

function readComposeFile(file: string, root: string) {
  const shown = relative(root, file).startsWith('..') ? file : relative(root, file);
  const source = readSource(file);
  if (source.kind !== 'text') throw new DevctlError('manifest-invalid', `${shown}: ${source.why}`);
  const reading = readYaml(source.text);
  if (reading.kind === 'read') return reading.value;
  throw new DevctlError('manifest-invalid', `${shown}:${reading.line}: ${reading.why}`);
}

function readDotEnv(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  if (!existsSync(path)) return {};
  const text = readFileSync(path, 'utf8');
  return expandEnvFile(parseEnvFile(text, path), [{}, env]).variables;
}

/** The folder name from which compose makes the name of the project. */
export function composeFolderName({ folder }: ComposeProject): string {
  return basename(resolve(folder));
}

/** The program words that run compose. */
export type ComposeCommand = readonly string[];

/** Longest time in which compose says its version, in ms: docker-compose 1.29 is Python, which a busy machine makes slow. */
const VERSION_MS = 30_000;

/**
 * Finds the compose program: that of the manifest, else `docker compose`, else `docker-compose`.
 *
 * @returns null where there is none
 */
export async function findCompose(
  command: ComposeCommand | null,
  env: NodeJS.ProcessEnv,
): Promise<ComposeCommand | null> {
  if (command) return command;
  for (const words of [['docker', 'compose'], ['docker-compose']]) {
    const [file = '', ...args] = words;
    const end = await runLimited(file, [...args, 'version'], {
      env,
      cwd: '/',
      timeoutMs: VERSION_MS,
    });
    if (end.kind === 'ended' && end.exitCode === 0 && /version/i.test(end.stdout)) return words;
  }
  return null;
}

export interface ComposeUp {
  readonly command: ComposeCommand;
  readonly project: ComposeProject;
  /** Absolute path of the file with our labels. */
  readonly override: string;
  readonly name: string;
  readonly profiles: readonly string[];
  readonly services: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  readonly onLine: (line: string) => void;
  readonly over: AbortSignal | undefined;
}

/**
 * Runs `compose up -d`. Its exit code is no proof: 1.29 prints its usage and exits with 0 for an option that it does not
 * know, so the caller asks the engine what is up.
 */
export async function composeUp(up: ComposeUp): Promise<{ readonly why: string | null }> {
  const { command, project, override, name, profiles, services, env, timeoutMs, onLine, over } = up;
  const [file = '', ...words] = command;
  const args = [
    ...words,
    ...[...project.files, override].flatMap((path) => ['-f', path]),
    ...['-p', name],
    ...profiles.flatMap((profile) => ['--profile', profile]),
    ...['up', '-d'],
    ...services,
  ];
  const end = await runLimited(file, args, {
    env,
    cwd: project.folder,
    timeoutMs,
    onLine,
    ...(over && { over }),
  });
  return { why: whyUpFailed(end, file, timeoutMs) };
}

function whyUpFailed(end: LimitedEnd, file: string, timeoutMs: number): string | null {
  switch (end.kind) {
    case 'missing':
      return `${file} is not installed`;
    case 'failed':
      return end.why;
    case 'silent':
      return `compose up took longer than ${Math.round(timeoutMs / 1000)} s ("timeout" in "containers")`;
    case 'ended':
      return end.exitCode === 0
        ? null
        : lastLine(end.stderr) || `compose up exited with code ${end.exitCode}`;
  }
}
