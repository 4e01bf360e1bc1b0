import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runProgram } from '../src/cli.ts';
import { devctl } from './support/devctl.ts';
import { repositoryRoot } from './support/paths.ts';
import { type TemporaryProject, temporaryProject } from './support/temporary-project.ts';

const DEVCTL = 'npx --no-install devctl';

let project: TemporaryProject;
let before = '';

beforeAll(async () => {
  project = await temporaryProject(undefined, { 'package.json': '{ "private": true }' }, 'site');
  cpSync(join(repositoryRoot, 'fixtures/docs/site'), project.root, { recursive: true });
  before = process.cwd();
  process.chdir(project.root);
});

afterAll(async () => {
  process.chdir(before);
  await project[Symbol.asyncDispose]();
});

/** Runs a command line in this process, which takes milliseconds, and returns all that it has written. */
async function answerTo(words: readonly string[]): Promise<string> {
  const written: string[] = [];
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    }),
  );
  try {
    expect(await runProgram(words)).not.toBe(0);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  expect(written.join('')).not.toMatch(/^\s+at /m);
  return written.join('');
}

describe('a mistake is answered with something that can be typed next', () => {
  test.each<readonly [typed: readonly string[], next: string]>([
    [['strat'], `${DEVCTL} start`],
    [['ps'], `${DEVCTL} status`],
    [['start web'], `${DEVCTL} start web`],
    [['--start'], `${DEVCTL} start`],
    [['-stop'], `${DEVCTL} stop`],
    [['xyzzy'], `${DEVCTL} --help`],
    [['stop', '--forec'], '--force'],
    [['sweep', '--force'], `${DEVCTL} sweep --help`],
    [['up', '-d'], `${DEVCTL} start`],
    [['logs', '--tail', '5'], '-n COUNT'],
    [['start', 'wbe'], 'Did you mean "web"?'],
    [['start', 'nothing-like-it'], 'services: api, web, old'],
    [['start', 'web,api'], 'web api'],
    [['start', './web'], 'Did you mean "web"?'],
    [['stop', 'all'], 'without a name'],
    [['stop', '--grace', '10'], '→ --grace 10s'],
    [['stop', '--grace', 'soon'], 'write 500ms, 3s'],
    [['stop', '--grace'], '→ --grace <duration>: time to end by themselves, e.g. 500ms or 3s'],
    [['stop', '--unprotected'], `${DEVCTL} stop --force --unprotected`],
    [['stop', '--why'], `${DEVCTL} stop --dry-run --why`],
    [['stop', '--project', 'nowhere'], `${DEVCTL} status --all`],
    [['stop', '--containers', '--volumes', 'db'], `${DEVCTL} stop --containers --volumes`],
    [['start', '--containers'], '"containers": {"file": "compose.yaml"}'],
    [['start', '--dependents'], `${DEVCTL} start --apply --dependents`],
    [['start', '--while-pid', 'abc'], '--while-pid $$'],
    [['start', '--ttl', '5'], '→ --ttl 5s'],
    [['start', 'web', '--', 'sleep', '9'], `${DEVCTL} start web starts that`],
    [['start', '--', 'sleep', '9'], `${DEVCTL} start web -- npm run dev`],
    [['start', 'new', '--'], `${DEVCTL} start new -- npm run dev`],
    [['save'], `${DEVCTL} start web -- npm run dev`],
    [['status', '--all', 'web'], `${DEVCTL} status --all`],
    [['logs', '-n', 'ten'], 'write 100'],
    [['logs', '--since', 'yesterday'], '17:05'],
    [['logs', '--grep', '('], '\\('],
    [['wait', 'web', '--for', 'redy'], '→ --for ready'],
    [['wait', 'web', '--for', 'log=('], '\\('],
    [['wait', 'web', '--timeout', '0'], `→ ${DEVCTL} start web`],
    [['up', '--exit-code-from', 'nope'], 'one of: api, web, old'],
    [['send'], `${DEVCTL} send web rs`],
    [['send', 'web', 'rs'], `→ ${DEVCTL} start web`],
    [['attach'], `${DEVCTL} attach web`],
    [['attach', 'web'], `→ ${DEVCTL} start web`],
    [['run'], `${DEVCTL} run -- npm test`],
    [['run', '--name', 'a/b', '--', 'true'], '→ --name a-b'],
    [['run', '--name', 'web', '--', 'true'], 'choose another --name'],
    [['run', '--max-memory', 'lots', '--', 'true'], 'write 512MB or 2GB'],
    [['run', '--timeout', 'x', '--', 'true'], 'write 500ms, 3s'],
    [['report', '--since', 'x'], '17:05'],
    [['report', '--html', '/nope/x.html'], '--html -'],
    [['export'], `${DEVCTL} export systemd`],
    [['export', 'docker'], `${DEVCTL} export procfile`],
    [['completion'], `${DEVCTL} completion bash`],
    [['completion', 'powershell'], `${DEVCTL} completion bash`],
    [['check', 'web'], `it takes no names: ${DEVCTL} check`],
    [['check', '--config', 'nope.json'], '--config'],
    [['monitor'], `${DEVCTL} status`],
    [['init'], '{"services": {"web": {"command": "npm run dev"}}}'],
    [['help', 'statsu'], `${DEVCTL} status`],
  ])('%j', async (typed, next) => {
    expect(await answerTo(typed)).toContain(next);
  });

  const web = (keys: object) => JSON.stringify({ services: { web: { command: 'x', ...keys } } });

  test.each<readonly [manifest: string, next: string]>([
    [web({ retsart: 'no' }), 'Did you mean "restart"?'],
    [web({ command: undefined }), '"npm run dev" or ["node", "server.js"]'],
    [web({ command: ['npm run dev'] }), '["npm", "run", "dev"]'],
    [web({ ports: ['3000:3000'] }), 'write 3000'],
    [web({ stop: { grace: '3 parsecs' } }), '"500ms", "3s"'],
    [web({ dependsOn: ['wbe'] }), 'Did you mean "web"?'],
    [web({ restart: 'unless-stopped' }), '"always"'],
    [web({ ready: { http: 3000 } }), '"http://localhost:3000/health"'],
    [web({ limits: { action: 'stop' } }), 'give processes, memory'],
    [web({ cwd: 'nowhere' }), 'wrong.json:1:'],
    ['{"services": {"web": {"command": "x"}', 'wrong.json:1:'],
    ['', '{"services": {"web": {"command": "npm run dev"}}}'],
  ])('a manifest %s', async (manifest, next) => {
    project.write('wrong.json', manifest);
    expect(await answerTo(['check', '--config', 'wrong.json'])).toContain(next);
  });

  test('a command that is not there', async () => {
    const { exitCode, stderr } = await devctl(project, 'run', '--', 'nosuchprogram');
    expect(exitCode).toBe(127);
    expect(stderr).toContain('npm run nosuchprogram');
  });

  test('a folder that cannot be made', async () => {
    const words = ['export', 'procfile', '--output', '/dev/null/units'];
    expect(await answerTo(words)).toContain(`${DEVCTL} export --output FOLDER`);
    if (process.platform !== 'linux') return;
    expect(await answerTo([...words.slice(0, -1), '/proc/units/here'])).toContain(
      '--output FOLDER',
    );
  });
});
