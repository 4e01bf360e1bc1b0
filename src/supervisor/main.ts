import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { loadCompiled } from '../compiled-code.ts';
import { setV8Flags } from './v8-flags.ts';

/** The modules of Node that the resident process needs in any case. */
const BUILT_IN = [
  'child_process',
  'cluster',
  'crypto',
  'fs/promises',
  'http',
  'os',
  'timers/promises',
  'tty',
];

/**
 * The program of the resident process, whose code is in `resident.ts`.
 *
 * V8 takes compiled code only under the flags under which it was compiled. So the modules of Node come before the flags, because
 * Node was built without them (otherwise they take twice as long), and our own code comes after the flags.
 */
const require = createRequire(import.meta.url);
for (const name of BUILT_IN) require(`node:${name}`);
setV8Flags();
loadCompiled(fileURLToPath(new URL('resident.cjs', import.meta.url)));
