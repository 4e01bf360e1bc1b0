// Parts of devctl and of its test support that are no entries of the published bundle.
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const SOURCES = `
  export { openHost } from './src/processes/real-host.ts';
  export { cleanEnvironment } from './test/support/clean-environment.ts';
  export { openOracle } from './test/support/oracle.ts';
  export { endAtOnce, endProcesses } from './test/support/end-processes.ts';
`;

/** For the public zoo. */
export const ZOO_SOURCES = `
  export { cleanEnvironment } from './test/support/clean-environment.ts';
  export { openOracle } from './test/support/oracle.ts';
  export { endAtOnce, endProcesses } from './test/support/end-processes.ts';
  export { freePorts } from './test/support/free-ports.ts';
  export { behaviours, findProgram, zooFolder } from './test/support/zoo/behaviours.ts';
  export { startZooBystanders } from './test/support/zoo/bystanders.ts';
  export { lookHere, runnable } from './test/support/zoo/here.ts';
  export { openTracks } from './test/support/zoo/tracks.ts';
`;

/**
 * @param root folder of the repository
 * @param sources the lines of TypeScript that export the parts
 */
export async function loadInternals(root, sources = SOURCES) {
  // Where koffi is found, and not in dist/, which is published.
  const cache = path.join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = await mkdtemp(path.join(cache, 'devctl-bench-'));
  try {
    const outfile = path.join(folder, 'internals.mjs');
    await build({
      stdin: { contents: sources, resolveDir: root, loader: 'ts' },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      external: ['koffi'],
      // Its modules find the repository by their own place, two folders deep.
      define: {
        'import.meta.url': JSON.stringify(pathToFileURL(path.join(root, 'test/support/x.ts')).href),
      },
      mainFields: ['module', 'main'],
      banner: {
        js: "import{createRequire as r}from'node:module';const require=r(import.meta.url);",
      },
      logLevel: 'error',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
