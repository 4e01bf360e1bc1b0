import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Path of the launcher in the package. */
const LAUNCHER = join('bin', 'devctl.js');

/** Finds the folder of the installed package. The bundled code may be at any depth below it. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  // Not package.json, because a folder of dist/ may have its own.
  while (!existsSync(join(folder, LAUNCHER))) folder = dirname(folder);
  return folder;
}

/** Reads the version of this devctl. A supervisor of another version is replaced by one of this version. */
export function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  return manifest instanceof Object && 'version' in manifest ? String(manifest.version) : 'unknown';
}
