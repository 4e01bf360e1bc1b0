import { spawn } from 'node:child_process';
import { chmodSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { guardedProgram } from '../../src/client/guard-program.ts';
import { SUPERVISOR_FLAGS } from '../../src/client/protocol.ts';
import { whyNoNative } from '../../src/processes/native/native.ts';
import { killAtOnce } from '../support/services.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** In the place of a supervisor: leaves a daemon of its own session, and stays. */
const STAND_IN = `
import { spawn } from 'node:child_process';
spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
setTimeout(() => {}, 300_000);
`;

/** A Perl whose kernel refuses: it becomes the words after its program. */
const REFUSED = `#!/bin/sh
shift 2
exec "$@"
`;

test.skipIf(whyNoNative() !== null).each(['Perl', 'Perl that is refused', 'Node'])(
  'the guard by %s adopts what a killed supervisor leaves, and reaps it',
  async (kind) => {
    await using project = await temporaryProject();
    const script = project.write('supervisor.mjs', STAND_IN);
    const refused = project.write('perl', REFUSED);
    chmodSync(refused, 0o700);
    const perl = { Perl: undefined, 'Perl that is refused': refused, Node: '/no/perl' }[kind];
    const [program = '', ...args] = guardedProgram(
      [...SUPERVISOR_FLAGS, script],
      [project.root, project.file('.pids')],
      perl,
    );
    const inherited = openSync(script, 'r');
    const child = spawn(program, args, {
      cwd: project.root,
      // A module that Perl would have to load, and cannot.
      env: { ...process.env, ...project.env, PERL5OPT: '-MNo::Such::Module' },
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ignore', inherited],
    });
    const guard = child.pid ?? 0;
    const one = (word: string) =>
      project.oracle.everything().find(({ argv }) => argv.includes(word));
    await until(() => one('devctl-guard')?.pid === guard);
    const status = readFileSync(`/proc/${guard}/status`, 'utf8');
    const ignored = Number.parseInt(/^SigIgn:\s*(\w+)/m.exec(status)?.[1]?.slice(-5) ?? '', 16);
    expect(ignored & (1 << 16), 'SIGCHLD is ignored').not.toBe(0);
    // Its loader opens libraries for a moment, after the program has closed everything.
    await until(() => readdirSync(`/proc/${guard}/fd`).length === 0);
    await until(() => one('300'));
    const supervisor = one(script);
    expect(supervisor?.ppid).toBe(guard);
    if (supervisor) await killAtOnce(supervisor);
    const daemon = await until(() =>
      project.oracle.everything().find(({ argv, ppid }) => argv[0] === 'sleep' && ppid === guard),
    );
    await killAtOnce(daemon);
    await until(() => !project.oracle.everything().some(({ pid }) => pid !== guard));
  },
);
