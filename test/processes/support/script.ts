import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { onTestFinished } from 'vitest';
import { NOBODY } from './nobody.ts';

const SOURCE = fileURLToPath(new URL('../../../src/processes/', import.meta.url));

export interface ScriptOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Run it as the user nobody; needs root. */
  readonly asNobody?: boolean;
  /** A command that runs it, such as unshare(1). */
  readonly under?: readonly string[];
}

/**
 * Runs a script in a Node process of its own, for what would change the test runner itself or needs
 * another user or environment. The script imports from './src/processes' as `./x.ts`, and what it
 * gives to `answer(…)` is the result.
 */
export async function runScript(source: string, options: ScriptOptions = {}): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'devctl-script-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  const program = join(folder, 'script.mjs');
  const { outputFiles } = await build({
    stdin: { contents: PRELUDE + source, resolveDir: SOURCE, loader: 'ts' },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    banner: { js: REQUIRE },
    plugins: [{ name: 'koffi', setup: (esbuild) => keepKoffi(esbuild) }],
    logLevel: 'silent',
  });
  await writeFile(program, outputFiles[0]?.contents ?? '');
  const command = [...(options.under ?? []), process.execPath, program];
  if (options.asNobody) {
    command.unshift('setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups');
  }
  const [file = '', ...args] = command;
  const { stdout } = await promisify(execFile)(file, args, {
    cwd: folder,
    timeout: 30_000,
    env: { ...process.env, DEVCTL_PROCESS_TABLE: '', DEVCTL_NATIVE: '', ...options.env },
  });
  return JSON.parse(stdout);
}

/** Packages in CommonJS ask for Node's modules with it. */
const REQUIRE = `import { createRequire as scriptRequire } from 'node:module';
const require = scriptRequire(import.meta.url);`;

const PRELUDE = `
  const answer = (value: unknown) => process.stdout.write(JSON.stringify(value));
  const until = async (probe: () => unknown) => {
    while (!(await probe())) await new Promise((resolve) => setTimeout(resolve, 5));
  };
`;

/** koffi finds its binary beside itself, so the script must load it from where it is installed. */
function keepKoffi(esbuild: Parameters<import('esbuild').Plugin['setup']>[0]): void {
  esbuild.onResolve({ filter: /^koffi$/ }, () => {
    const installed = createRequire(import.meta.url).resolve('koffi');
    return { path: pathToFileURL(installed).href, external: true };
  });
}
