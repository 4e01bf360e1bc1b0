import { describe, expect, test } from 'vitest';
import { loadNative } from '../../src/processes/native/native.ts';
import { runScript } from '../processes/support/script.ts';
import { fixture } from '../support/paths.ts';

const native = await loadNative();

/** Becomes a subreaper with a reaper, and does not look at the process table from then on. */
const SUBREAPER = `
  import { childrenOf } from './linux/children.ts';
  import { loadNative } from './native/native.ts';
  import { newsOfEnd } from './own-children.ts';
  import { loadSpawn } from './spawn.ts';
  import { startReaper } from '../tracking/reaper.ts';
  const native = await loadNative();
  if (!native.available) throw new Error(native.why);
  native.becomeSubreaper();
  const spawnChild = await loadSpawn();
  const place = { cwd: '/', env: process.env, stdio: ['ignore', 'ignore', 'ignore'] };
  const children = () => childrenOf(process.pid) ?? [];
  /** @returns a child that Node has spawned, and the promise of its exit code */
  const spawnOwn = (script) => {
    const { child, pid } = spawnChild('/bin/sh', ['-c', script], place);
    if (!child) throw new Error('it was not spawned');
    const exit = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    return { pid, exit };
  };
`;

describe.runIf(native.available)('the reaper', () => {
  test('reaps the adopted as they die, and Node hears the end of each child of its own', async () => {
    const outcome = await runScript(`${SUBREAPER}
      const reaper = startReaper(native);
      const exits = [];
      for (let index = 0; index < 40; index += 1) {
        // Each leaves children behind that die before and after it.
        const { exit } = spawnOwn(\`(sleep 0; exit 9) & (sleep 0.0\${index % 8}) & exit \${index}\`);
        exits.push(exit);
      }
      const codes = await Promise.all(exits);
      await until(() => children().length === 0);
      reaper.stop();
      answer({ codes, left: native.hasChildren() });
    `);
    expect(outcome).toEqual({ codes: Array.from({ length: 40 }, (_, code) => code), left: false });
  });

  test('leaves a child of Node to Node, however late Node hears of its end', async () => {
    const outcome = await runScript(`${SUBREAPER}
      import { readFileSync } from 'node:fs';
      const reaper = startReaper(native);
      const { pid, exit } = spawnOwn('(sleep 0.1) & exit 7');
      const isDead = (child) => / Z /.test(readFileSync(\`/proc/\${child}/stat\`, 'utf8'));
      // Without a turn of the event loop, so that Node cannot hear of anything.
      while (children().filter(isDead).length < 2);
      const named = native.deadChild() === pid;
      const isKnown = newsOfEnd(pid) !== null;
      await reaper.reapNow();
      answer({ named, isKnown, left: native.hasChildren(), code: await exit });
    `);
    expect(outcome).toEqual({ named: true, isKnown: true, left: false, code: 7 });
  });

  test('reaps what had died before it began, without a signal, and nothing once it is stopped', async () => {
    const outcome = await runScript(`${SUBREAPER}
      import { readFileSync } from 'node:fs';
      const isDead = (child) => / Z /.test(readFileSync(\`/proc/\${child}/stat\`, 'utf8'));
      const leaveOneDead = async () => {
        await spawnOwn('(sleep 0.05) & exit 0').exit;
        await until(() => children().length === 1 && children().every(isDead));
      };
      await leaveOneDead();
      const reaper = startReaper(native);
      await until(() => children().length === 0);
      reaper.stop();
      await leaveOneDead();
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      answer({ left: children().length });
    `);
    expect(outcome).toEqual({ left: 1 });
  });

  test('asked to reap now, it waits for a child of Node only so long', async () => {
    const outcome = await runScript(`
      import { EventEmitter } from 'node:events';
      import { noteChild } from './own-children.ts';
      import { startReaper } from '../tracking/reaper.ts';
      // Node never tells of its end.
      noteChild(Object.assign(new EventEmitter(), { pid: 4_000_000 }));
      const reaped = [];
      const reaper = startReaper({ deadChild: () => 4_000_000, reap: (pid) => reaped.push(pid) > 0 });
      // Its own timer keeps no process alive.
      const alive = setInterval(() => {}, 1_000);
      await reaper.reapNow();
      clearInterval(alive);
      reaper.stop();
      answer({ reaped });
    `);
    expect(outcome).toEqual({ reaped: [] });
  });

  test('does not starve the event loop, however many are dead', async () => {
    const outcome = await runScript(`
      import { startReaper } from '../tracking/reaper.ts';
      // A storm that never ends: there is always another one.
      let reaped = 0;
      const storm = { deadChild: () => 100_000 + reaped, reap: () => Boolean(++reaped) };
      const reaper = startReaper(storm);
      const seen = [];
      await new Promise((resolve) => {
        const timer = setInterval(() => {
          if (seen.push(reaped) < 5) return;
          clearInterval(timer);
          resolve();
        }, 1);
      });
      reaper.stop();
      await new Promise((resolve) => setImmediate(resolve));
      answer({ turns: seen.length, went: seen.at(-1) > seen[0] });
    `);
    expect(outcome).toEqual({ turns: 5, went: true });
  });

  test.runIf(['x64', 'arm64'].includes(process.arch))(
    'reaps where a seccomp filter refuses waitid',
    async () => {
      const outcome = await runScript(
        `${SUBREAPER}
        const reaper = startReaper(native);
        const refused = native.deadChild();
        const { exit } = spawnOwn('(sleep 0.05) & (sleep 0.1) & exit 3');
        const code = await exit;
        await until(() => children().length === 0);
        reaper.stop();
        answer({ refused, code });`,
        { under: fixture('seccomp', 'EPERM', 'waitid') },
      );
      expect(outcome).toEqual({ refused: 'refused', code: 3 });
    },
  );
});
