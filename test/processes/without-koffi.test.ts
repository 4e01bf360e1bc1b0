import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { repositoryRoot } from '../support/paths.ts';
import { hasSubreaper, service } from '../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

const MODULES = join(repositoryRoot, 'node_modules');

/** An installed devctl, whose koffi each test replaces. */
let place: TemporaryProject;
beforeAll(async () => {
  place = await temporaryProject();
  for (const part of ['bin', 'dist', 'package.json']) {
    cpSync(join(repositoryRoot, part), place.file(`app/${part}`), { recursive: true });
  }
  const probe = `import { loadNative } from './src/processes/native/native.ts';
    console.log(JSON.stringify(await loadNative()));`;
  await build({
    stdin: { contents: probe, resolveDir: repositoryRoot, loader: 'ts' },
    outfile: place.file('app/probe.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['koffi'],
    logLevel: 'silent',
  });
});
afterAll(() => place[Symbol.asyncDispose]());

const stub = (code: string) => () => {
  place.write('app/node_modules/koffi/package.json', '{"type":"module","exports":"./index.js"}');
  place.write('app/node_modules/koffi/index.js', code);
};

/** The real one, with something else in the place of its machine code. */
const damaged = (change: (real: Buffer) => Buffer) => () => {
  for (const name of ['koffi', '@koromix']) {
    const filter = (path: string) => !/\/(doc|src|vendor)(\/|$)/.test(path.slice(MODULES.length));
    const copy = place.file(`app/node_modules/${name}`);
    cpSync(join(MODULES, name), copy, { recursive: true, filter });
  }
  const folder = place.file('app/node_modules/@koromix');
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.node')) continue;
    writeFileSync(join(folder, name), change(readFileSync(join(folder, name))));
  }
};

const forS390 = (real: Buffer): Buffer => {
  const changed = Buffer.from(real);
  // e_machine in the header, elf(5).
  changed.writeUInt16LE(22, 18);
  return changed;
};

async function run(cwd: string, script: string, env: Readonly<Record<string, string>>, arg = '') {
  const parameters = [place.file(`app/${script}`), ...arg.split(' ').filter(Boolean)];
  const options = {
    cwd,
    env: { ...cleanEnvironment(), ...env, DEVCTL_CGROUP: 'off' },
    extendEnv: false,
    reject: false,
  };
  const ended = await execa(process.execPath, parameters, options);
  expect(ended, ended.stderr).toMatchObject({ exitCode: 0 });
  return ended.stdout;
}

test.runIf(hasSubreaper).each([
  [
    'of another major version',
    stub("export default { version: '9.0.1' };"),
    /koffi 9\.0\.1 is not/,
  ],
  ['something else of that name', stub('export default {};'), /koffi undefined is not supported/],
  ['throwing', stub("throw new Error('no luck\\nat all');"), /not load: no luck$/],
  ['never done loading', stub('await new Promise(() => {});'), /not answered within/],
  ['cut short', damaged((real) => real.subarray(0, 3000)), /koffi does not load: /],
  ['built for another machine', damaged(forS390), /koffi does not load: /],
])('a koffi that is %s is done without, for a reason', async (_name, install, why) => {
  rmSync(place.file('app/node_modules'), { recursive: true, force: true });
  install();
  const answer = JSON.parse(await run(place.root, 'probe.mjs', {}));
  expect(answer).toEqual({ available: false, why: expect.stringMatching(why) });
});

test.runIf(hasSubreaper)(
  'without koffi nothing is left either, and the proof says so',
  async () => {
    rmSync(place.file('app/node_modules'), { recursive: true, force: true });
    await using project = await temporaryProject({ services: { web: service('own-session') } });
    await run(project.root, 'bin/devctl.js', project.env, 'start');
    const report = JSON.parse(await run(project.root, 'bin/devctl.js', project.env, 'stop --json'));
    const missing = { held: false, why: expect.stringMatching(/(package|module) 'koffi'/) };
    const capabilities = { subreaper: missing, pidfd: missing };
    const proof = { strength: 'best-effort' };
    expect(report).toMatchObject({ survivors: [], proof, capabilities });
    expect(project.oracle.everything()).toEqual([]);
  },
);
