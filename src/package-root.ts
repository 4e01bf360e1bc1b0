import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Relative to the folder that we are installed in. */
const LAUNCHER = join('bin', 'devctl.js');

/** Where we are installed: bundled code may sit at any depth below it. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  // Not package.json: a folder of dist/ may have one of its own.
  while (!existsSync(join(folder, LAUNCHER))) folder = dirname(folder);
  return folder;
}

/** Our own version. A supervisor of another version is replaced by one of this. */
export function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  return manifest instanceof Object && 'version' in manifest ? String(manifest.version) : 'unknown';
}
