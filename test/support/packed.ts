import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { repositoryRoot } from './paths.ts';
import { currentRunFolder } from './run-folder.ts';

/** devctl as users have it: from the tarball, in a `node_modules`, with koffi where we have koffi. */
export interface PackedDevctl {
  /** The folder with the `node_modules`. Every user may read it. */
  readonly folder: string;
  /** The program. */
  readonly program: string;
  /** Makes `npx devctl` work in a folder without a registry. */
  installIn(folder: string): void;
}

/** Packs this repository as it was built last, and unpacks it as npm would. Works offline. */
export async function packDevctl(): Promise<PackedDevctl> {
  const folder = mkdtempSync(join(currentRunFolder(), 'packed-'));
  chmodSync(folder, 0o755);
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const { stdout } = await execa('npm', args, { cwd: repositoryRoot });
  const modules = join(folder, 'node_modules');
  const devctl = join(modules, 'devctl');
  mkdirSync(devctl, { recursive: true });
  const tarball = join(folder, JSON.parse(stdout)[0].filename);
  await execa('tar', ['-xzf', tarball, '-C', devctl, '--strip-components=1']);
  for (const name of ['koffi', '@koromix']) {
    const installed = join(repositoryRoot, 'node_modules', name);
    if (existsSync(installed)) cpSync(installed, join(modules, name), { recursive: true });
  }
  mkdirSync(join(modules, '.bin'));
  const program = join(devctl, 'bin', 'devctl.js');
  chmodSync(program, 0o755);
  symlinkSync('../devctl/bin/devctl.js', join(modules, '.bin', 'devctl'));
  return {
    folder,
    program,
    installIn: (project) => symlinkSync(modules, join(project, 'node_modules')),
  };
}
