import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { devctlWith } from '../../support/devctl.ts';
import { endProcesses } from '../../support/end-processes.ts';
import { readProcesses, startTimeNow } from '../../support/read-processes.ts';
import { guardsOf, hasSubreaper, killAtOnce, signalSupervisor } from '../../support/services.ts';

import { temporaryProject } from '../../support/temporary-project.ts';
import { until } from '../../support/until.ts';

test.runIf(hasSubreaper)(
  'a daemon that was seen while the manifest was away is in the ledger once the manifest is back',
  async () => {
    const since = startTimeNow();
    const seconds = 100_000_000 + Math.floor(Math.random() * 800_000_000);
    const daemons = () =>
      readProcesses(since).filter(
        ({ zombie, argv }) => !zombie && argv.join(' ') === `sleep ${seconds}`,
      );
    const bare = `cd / && setsid -f env -i sleep ${seconds} </dev/null >/dev/null 2>&1`;
    const command = `until [ -e go ]; do sleep 0.1; done; (${bare}); touch gone; exec sleep 600`;
    await using project = await temporaryProject({ services: { web: { command } } });
    await using _ended: AsyncDisposable = {
      async [Symbol.asyncDispose]() {
        await endProcesses(daemons);
      },
    };
    const run = (...args: readonly string[]) =>
      devctlWith(project, { env: { DEVCTL_CGROUP: 'off' } }, ...args);
    expect(await run('start')).toMatchObject({ exitCode: 0 });

    renameSync(project.file('.devctl.json'), project.file('away'));
    project.write('go', '');
    await until(() => existsSync(project.file('gone')) && daemons().length === 1);
    const log = () => readFileSync(project.file('.pids/supervisor.log'), 'utf8');
    await until(() => log().includes('.devctl.json is missing'), log);
    renameSync(project.file('away'), project.file('.devctl.json'));

    const folder = project.file('.pids/ledger');
    const ledgers = () =>
      readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const [daemon] = daemons();
    await until(() => ledgers().some((text) => text.includes(`,${daemon?.pid},`)), log);
    await signalSupervisor(project, 'SIGKILL');
    for (const guard of guardsOf(project)) await killAtOnce(guard);
    const { exitCode, stdout } = await run('stop');
    expect(exitCode, stdout).toBe(0);
    expect(daemons()).toEqual([]);
    expect(project.oracle.everything()).toEqual([]);
  },
);
