// Finds the programs of the supervisors that are compared, and their versions.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

/** Finds a program in the folders of DEVCTL_BENCH_TOOLS, on PATH, or where Debian puts programs for root; else null. */
export function look(name) {
  const lists = [process.env.DEVCTL_BENCH_TOOLS, process.env.PATH, '/usr/sbin:/sbin'];
  const folders = lists.flatMap((list) => (list ?? '').split(':')).filter(Boolean);
  return folders.map((folder) => path.resolve(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Reads the version of the npm package that a program is in. Not from the program: `pm2 --version` starts a daemon. */
function npmVersion(program) {
  let folder = path.dirname(realpathSync(program));
  while (folder !== '/' && !existsSync(path.join(folder, 'package.json'))) {
    folder = path.dirname(folder);
  }
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')).version;
}

/** Asks dpkg for the version of a package; '' where there is no dpkg. */
function debianVersion(name) {
  const args = ['-W', '-f', ['$', '{Version}'].join(''), name];
  return spawnSync('dpkg-query', args, { encoding: 'utf8' }).stdout?.split('-')[0] ?? '';
}

/** An adapter's `find` for a program of an npm package. */
export function findNpm(name) {
  return (search) => {
    const program = search(name);
    return program && { program, version: npmVersion(program) };
  };
}

/** An adapter's `find` for programs of a Debian package. */
export function findDebian(name, ...programs) {
  return (search) => {
    if (!programs.every(search)) return null;
    return { program: search(programs[0]), version: debianVersion(name) };
  };
}

/** Writes a command as a shell reads it. A plain word is without quotes: concurrently takes away those at both ends. */
export function shellWords(command) {
  return command.map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : quoted(word))).join(' ');
}

function quoted(word) {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
