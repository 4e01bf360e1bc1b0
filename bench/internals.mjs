// Parts of devctl and of its test support that are no entries of the published bundle.
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const SOURCES = `
  export { openHost } from './src/processes/real-host.ts';
  export { openOracle } from './test/support/oracle.ts';
  export { endProcesses } from './test/support/end-processes.ts';
`;

/** @param root folder of the repository */
export async function loadInternals(root) {
  // Inside the repository, so that koffi is found.
  const folder = await mkdtemp(path.join(root, 'dist', 'bench-'));
  try {
    const outfile = path.join(folder, 'internals.mjs');
    await build({
      stdin: { contents: SOURCES, resolveDir: root, loader: 'ts' },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      external: ['koffi'],
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
