import { fileURLToPath } from 'node:url';
import { loadCompiled } from '../compiled-code.ts';
import { setV8Flags } from './v8-flags.ts';

/**
 * The program of the resident process, whose code is in `resident.ts`. The flags come first, because V8 takes from a cache only
 * what was compiled under the same flags.
 */
setV8Flags();
loadCompiled(fileURLToPath(new URL('resident.cjs', import.meta.url)));
