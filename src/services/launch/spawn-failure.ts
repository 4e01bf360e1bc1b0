import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { errnoOf } from '../../errors.ts';
import { commandLine, toArgv } from './command-line.ts';

/** Errors of fork(2) and execve(2), in words. */
const IN_WORDS: Readonly<Record<string, string>> = {
  EAGAIN: 'process limit reached: end other processes, or raise the limit (ulimit -u)',
  ENOMEM: 'not enough memory to start another process',
  EMFILE: 'devctl has too many open files (ulimit -n)',
  ENFILE: 'the system has too many open files',
  E2BIG: 'its arguments and environment are too long for the system',
  ETXTBSY: 'the program file is being written at this moment',
  ENOEXEC: 'the program file has an unknown format',
};

interface Place {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Says why a spawn failed. The kernel says ENOENT for a missing program, a missing interpreter and a missing
 * folder alike, so this looks at all of them after the failure.
 *
 * @param error the error of the spawn
 */
export function spawnFailure(
  error: unknown,
  command: string | readonly string[],
  place: Place,
): string {
  const errno = errnoOf(error);
  const words = errno === undefined ? undefined : IN_WORDS[errno];
  if (words !== undefined) return words;
  return (
    folderFault(place.cwd) ??
    programFault(errno, toArgv(command)[0] ?? '', place) ??
    `"${commandLine(command)}" cannot be started: ${error instanceof Error ? error.message : error}`
  );
}

/** Says why a command cannot be started that a shell will start, as far as that shows beforehand; null: it can. */
export function missingProgram(command: string | readonly string[], place: Place): string | null {
  const program = toArgv(command)[0] ?? '';
  const folders = program.includes('/')
    ? ['']
    : (place.env.PATH ?? process.env.PATH ?? '').split(':');
  let errno = 'ENOENT';
  for (const folder of folders) {
    const file = resolve(place.cwd, folder, program);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return null;
      errno = 'EACCES';
    } catch (error) {
      if (errnoOf(error) === 'EACCES') errno = 'EACCES';
    }
  }
  return spawnFailure(Object.assign(new Error(errno), { code: errno }), command, place);
}

function folderFault(cwd: string): string | null {
  try {
    if (!statSync(cwd).isDirectory()) return `its working directory ${cwd} is not a folder`;
    accessSync(cwd, constants.X_OK);
    return null;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return `its working directory ${cwd} does not exist`;
    return `its working directory ${cwd} cannot be entered: permission denied`;
  }
}

function programFault(
  errno: string | undefined,
  program: string,
  { cwd, env }: Place,
): string | null {
  const named = program.includes('/');
  if (errno === 'EACCES') {
    // execvp(3) says EACCES as well when it found no program, but could not search one of the folders.
    const folders = (env.PATH ?? '').split(':');
    if (
      !named &&
      env.PATH !== undefined &&
      !folders.some((folder) => exists(join(folder, program)))
    ) {
      return `command "${program}" was not found in PATH, where not every folder may be searched`;
    }
    const where = named ? resolve(cwd, program) : `"${program}" in PATH`;
    return `${where} is not an executable file (chmod +x?)`;
  }
  if (errno !== 'ENOENT' && errno !== 'ENOTDIR') return null;
  if (!named) {
    const local = join('node_modules', '.bin', program);
    const hint = exists(join(cwd, local)) ? ` (there is ${local}: use npx, or name it so)` : '';
    return `command "${program}" was not found in PATH${hint}`;
  }
  const file = resolve(cwd, program);
  if (!exists(file)) return `command ${file} does not exist`;
  return `${file} cannot be started: ${scriptFault(file) ?? 'a library loader that it needs does not exist'}`;
}

function exists(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

/** Says what is wrong with the interpreter that the first line of a script names after `#!`; null when the file is no script. */
function scriptFault(file: string): string | null {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const head = Buffer.alloc(256);
      const size = readSync(fd, head, 0, head.length, 0);
      const [, interpreter, end] =
        /^#![ \t]*(\S+)[^\r\n]*(\r?)/.exec(head.toString('utf8', 0, size)) ?? [];
      if (interpreter === undefined) return null;
      return end === '\r'
        ? `its first line ends in CRLF, as on Windows, so its interpreter would be "${interpreter}\\r"`
        : `its interpreter ${interpreter} does not exist`;
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}
