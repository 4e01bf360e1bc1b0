import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { removeControlGroups } from './control-groups.ts';
import { endProcesses } from './end-processes.ts';
import { type Oracle, openOracle } from './oracle.ts';
import { currentRunFolder } from './run-folder.ts';
import { unsettled } from './unsettled.ts';

export interface TemporaryProject extends AsyncDisposable {
  /** Real path of the project folder. */
  readonly root: string;
  /** The file that fixture programs hold open while they live. */
  readonly marker: string;
  /** Environment variables that mark the processes of this project; the strict mode of turbo passes them. */
  readonly env: Readonly<Record<string, string>>;
  readonly oracle: Oracle;
  /** Absolute path of a file of the project. */
  file(name: string): string;
  /** Writes a file of the project, with its folders, and returns its path. */
  write(name: string, text: string): string;
}

/**
 * Makes a fresh project folder. On disposal everything that has to do with it is ended (by identity,
 * until nothing is found) and the folder is removed.
 *
 * @param manifest becomes `.devctl.json`, see `unsettled`; undefined: no manifest.
 * @param files more files: path below the project folder → text.
 * @param place path of the project folder below its fresh one, for names that are out of the ordinary.
 */
export async function temporaryProject(
  manifest?: object | string,
  files: Readonly<Record<string, string>> = {},
  place = '.',
): Promise<TemporaryProject> {
  const fresh = mkdtempSync(join(currentRunFolder(), 'project-'));
  const root = join(fresh, place);
  mkdirSync(root, { recursive: true });
  const env = { TURBO_DEVCTL_ORACLE: fresh };
  const oracle = openOracle({ folders: [fresh], environment: [`TURBO_DEVCTL_ORACLE=${fresh}`] });
  const file = (name: string) => join(root, name);
  const write = (name: string, text: string) => {
    mkdirSync(dirname(file(name)), { recursive: true });
    writeFileSync(file(name), name.endsWith('.devctl.json') ? unsettled(text) : text);
    return file(name);
  };

  const marker = write('.marker', '');
  if (typeof manifest === 'string') write('.devctl.json', manifest);
  else if (manifest) write('.devctl.json', JSON.stringify(manifest, null, 2));
  for (const [name, text] of Object.entries(files)) write(name, text);

  return {
    root,
    marker,
    env,
    oracle,
    file,
    write,
    async [Symbol.asyncDispose]() {
      await endProcesses(oracle.everything);
      await removeControlGroups(root);
      rmSync(fresh, { recursive: true, force: true });
    },
  };
}
