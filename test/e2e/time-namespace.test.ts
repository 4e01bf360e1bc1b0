import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { guardsOf, killAtOnce, signalSupervisor } from '../support/services.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const ELSEWHERE = ['--time', '--boottime', '100000'];
const canUnshare = spawnSync('unshare', [...ELSEWHERE, 'true']).status === 0;

test.runIf(canUnshare)(
  'a stop in another time namespace, where start times are others, keeps the records of what lives',
  async () => {
    // Nothing but its record tells whose it is.
    const command = 'exec env -i sleep 1000 >/dev/null 2>&1';
    const web = { command, cwd: '/', stdin: 'null' };
    await using project = await temporaryProject({ services: { web } });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    await signalSupervisor(project, 'SIGKILL');
    for (const guard of guardsOf(project)) await killAtOnce(guard);
    const program = join(repositoryRoot, 'bin', 'devctl.js');
    const env = { ...cleanEnvironment(), ...project.env, DEVCTL_CGROUP: 'off' };
    const options = { cwd: project.root, env, extendEnv: false } as const;
    const stop = await execa(
      'unshare',
      [...ELSEWHERE, process.execPath, program, 'stop', '--force'],
      options,
    );
    expect(stop.stderr).toContain('was written on another machine or in another container');
    expect(existsSync(project.file('.pids/services/web.json'))).toBe(true);
    expect((await devctl(project, 'stop')).stdout).toContain('web: stopped');
  },
);
