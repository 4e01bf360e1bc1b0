import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import { readProcesses } from '../support/read-processes.ts';
import { killAtOnce, service, supervisorsOf } from '../support/services.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const SECRET = 'hunter2hunter2';

/** Every file below a folder, with its path. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

test('a secret in an environment is in no record, report, log or command line', async () => {
  const env = { API_TOKEN: SECRET };
  const services = {
    web: service('own-session', [], { env, stop: { command: 'true' } }),
    file: service('sleeper', [], { envFile: 'web.env', ready: { exec: ['true'] } }),
    broken: { command: ['/nonexistent/program'], env },
    ending: { command: 'exit 3', env, ready: { exec: 'false', timeout: 500 } },
    late: { command: fixture('sleeper'), env, ready: { tcp: 1, timeout: 300 } },
  };
  await using project = await temporaryProject(
    { env: { DB_PASSWORD: SECRET }, services },
    { 'web.env': `PASSWORD=${SECRET}\n` },
  );
  const caller = { env: { CALLER_SECRET: SECRET } };
  const said: string[] = [];
  const run = async (...args: string[]) => {
    const { stdout, stderr } = await devctlWith(project, caller, ...args);
    said.push(stdout, stderr);
  };
  await run('start', '--json');
  // Also processes that are spawned while it waits.
  const starting = startDevctl(project, caller, 'start', 'late');
  const lines = new Set<string>();
  const look = () => {
    for (const { argv } of readProcesses()) lines.add(argv.join(' '));
  };
  const looking = setInterval(look, 20);
  const { stdout, stderr } = await starting;
  said.push(stdout, stderr);
  await run('status');
  await run('status', '--json');
  await run('stop', '--dry-run', '--json');
  await run('check', '--json');
  const [web] = project.oracle.processes();
  if (web) await killAtOnce(web);
  await run('status', '--json');
  look();
  const kept = filesBelow(project.file('.pids')).map((path) => readFileSync(path, 'utf8'));
  await run('stop', '--json');
  clearInterval(looking);
  kept.push(...filesBelow(project.file('.pids')).map((path) => readFileSync(path, 'utf8')));

  expect([...lines].length).toBeGreaterThan(5);
  for (const text of [...said, ...kept, ...lines]) expect(text).not.toContain(SECRET);
  expect([...project.oracle.everything(), ...supervisorsOf(project)]).toEqual([]);
});

test('names, folders and logs cannot send control characters to the terminal', async () => {
  const evil = '\u001b]52;c;ZXZpbA==\u0007\u001b[2J\u009b31m\u202e';
  const log = `process.stdout.write(${JSON.stringify(`${evil} \u001b[31mred\n`)}); process.exit(4)`;
  const title = `process.title = ${JSON.stringify(evil)}; console.log('ready'); setTimeout(() => {}, 1e5)`;
  await using project = await temporaryProject({
    services: {
      titled: { command: [process.execPath, '-e', title], ready: { log: 'ready' } },
      failing: { command: [process.execPath, '-e', log], ready: { delay: 5_000 } },
    },
  });
  // In a pipe without FORCE_COLOR, there are no colours at all.
  const results = [await devctlWith(project, { env: { FORCE_COLOR: '1' } }, 'start')];
  project.write(`.pids/services/${evil.replaceAll('/', '')}.json`, '{}');
  project.write('.pids/services.pids', `${evil}\n`);
  results.push(await devctl(project, 'status'), await devctl(project, 'status', '--json'));
  results.push(await devctl(project, 'stop', '--dry-run'));
  results.push(await devctl(project, 'stop', '--json'));
  expect(results[0]?.stderr).toContain('\u001b[31mred\u001b[0m');
  for (const { stdout, stderr } of results) {
    const plain = ['\u001b[31m', '\u001b[0m'].reduce(
      (text, code) => text.replaceAll(code, ''),
      stdout + stderr,
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
    expect(plain).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
  }
  expect(project.oracle.everything()).toEqual([]);
});
