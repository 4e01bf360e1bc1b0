import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { repositoryRoot } from '../../support/paths.ts';
import { type TemporaryProject, temporaryProject } from '../../support/temporary-project.ts';

/** A program that launches one service, prints its pid and ends, like a supervisor that dies. */
async function launcher(project: TemporaryProject): Promise<string> {
  const program = `
    import { launch } from './src/services/launch/launch.ts';
    const [logFile, stdinPath] = process.argv.slice(2);
    const place = { env: process.env, logFile, stdinPath };
    const started = await launch({ command: ['sleep', '100'], cwd: process.cwd() }, place);
    console.log(started.pid);
    process.exit(0);
  `;
  const outfile = project.file('launcher.mjs');
  await build({
    stdin: { contents: program, resolveDir: repositoryRoot, loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    // Loaded only for a terminal.
    external: ['koffi'],
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
  });
  return outfile;
}

test.runIf(process.platform === 'linux')(
  'a service inherits none of the files that its launcher was started with, and keeps no pipe open',
  async () => {
    await using project = await temporaryProject(undefined, { leak: '' });
    const program = await launcher(project);
    // Number 63 has a gap below it, at which libuv stops; bash, because dash knows only one digit.
    const script =
      'exec 9>leak 63>leak 200>leak; "$0" "$1" "$PWD/web.log" "$PWD/web.stdin" | cat 9>&- 63>&- 200>&-';
    const shell = spawn('bash', ['-c', script, process.execPath, program], {
      cwd: project.root,
      env: { PATH: process.env.PATH, ...project.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Both end only when no process has their pipe open any more: neither cat's pipe nor ours.
    const [output] = await Promise.all([text(shell.stdout), once(shell, 'close')]);
    const pid = Number(output);
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')).toEqual(['sleep', '100', '']);
    expect(readdirSync(`/proc/${pid}/fd`)).toEqual(['0', '1', '2']);
  },
);
