import { describe, expect, test } from 'vitest';
import { fixture } from '../../support/paths.ts';
import { runScript } from '../support/script.ts';

const linux = process.platform === 'linux';

test.each([
  ['DEVCTL_NATIVE=off', { DEVCTL_NATIVE: 'off' }],
  ['DEVCTL_PROCESS_TABLE=portable', { DEVCTL_PROCESS_TABLE: 'portable' }],
])('%s turns it off, and says so', async (setting, env) => {
  const native = await runScript(
    `import { loadNative } from './native/native.ts'; answer(await loadNative());`,
    { env },
  );
  const why = linux ? `turned off by ${setting}` : expect.any(String);
  expect(native).toEqual({ available: false, why });
});

describe.runIf(linux)('the native calls', () => {
  test('tell of the end of a process at once, only once, and of no other one', async () => {
    const outcome = await runScript(`
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      import { loadNative } from './native/native.ts';
      const native = await loadNative();
      if (!native.available) throw new Error(native.why);
      const watch = native.endWatch()?.watch;
      if (!watch) throw new Error('no process can be watched');
      const told = [];
      const start = async () => {
        // Not a child of ours: nobody but the watch can tell.
        const shell = spawn('sh', ['-c', 'setsid sleep 60 >&- & echo $!'], { stdio: ['ignore', 'pipe', 'ignore'] });
        const [line] = await once(shell.stdout, 'data');
        return Number(line);
      };
      const [first, second, third] = [await start(), await start(), await start()];
      const release = watch(third, () => told.push('third'));
      watch(first, async () => told.push(await Promise.resolve('first')));
      watch(second, () => told.push('second'));
      const gone = watch(4194304, () => told.push('nobody'));
      process.kill(first, 'SIGKILL');
      await until(() => told.length === 1);
      release();
      release();
      process.kill(third, 'SIGKILL');
      process.kill(second, 'SIGKILL');
      await until(() => told.length === 2);
      // Nothing keeps the loop busy now.
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const { user, system } = process.cpuUsage(before);
      answer({ told, gone, busyMs: Math.floor((user + system) / 1000) });
    `);
    expect(outcome).toMatchObject({ told: ['first', 'second'], gone: null });
    expect((outcome as { busyMs: number }).busyMs).toBeLessThan(50);
  });

  test('adopt and reap a double-forked child, and leave the children of Node to Node', async () => {
    const outcome = await runScript(`
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      import { loadNative } from './native/native.ts';
      import { openProcTable } from './linux/table.ts';
      const native = await loadNative();
      if (!native.available) throw new Error(native.why);
      const table = openProcTable();
      const held = native.becomeSubreaper();
      const own = spawn('sh', ['-c', 'read line; exit 42'], { stdio: ['pipe', 'ignore', 'ignore'] });
      const exit = once(own, 'exit');
      const stdio = ['ignore', 'pipe', 'ignore'];
      const shell = spawn('sh', ['-c', 'setsid sleep 30 >&- & echo $!'], { stdio });
      const [line] = await once(shell.stdout, 'data');
      const orphan = Number(line);
      await until(async () => (await table.read(orphan))?.ppid === process.pid);
      const early = native.reap(orphan);
      process.kill(orphan, 'SIGKILL');
      await until(async () => (await table.read(orphan))?.state === 'Z');
      const reaped = native.reap(orphan);
      const left = await table.read(orphan);
      const again = native.reap(orphan);
      own.stdin.end('go');
      const [code] = await exit;
      answer({ held, early, reaped, left, again, code });
    `);
    expect(outcome).toEqual({
      held: { held: true, why: null },
      early: false,
      reaped: true,
      left: null,
      again: false,
      code: 42,
    });
  });

  test('tell whether there is any child left, and which is dead, and reap none', async () => {
    const outcome = await runScript(`
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      import { loadNative } from './native/native.ts';
      import { openProcTable } from './linux/table.ts';
      const native = await loadNative();
      if (!native.available) throw new Error(native.why);
      const table = openProcTable();
      native.becomeSubreaper();
      const none = native.hasChildren();
      const dead = [native.deadChild()];
      const stdio = ['ignore', 'pipe', 'ignore'];
      const shell = spawn('sh', ['-c', 'setsid sleep 30 >&- & echo $!; exit 7'], { stdio });
      const exit = once(shell, 'exit');
      const [line] = await once(shell.stdout, 'data');
      const orphan = Number(line);
      const [code] = await exit;
      await until(async () => (await table.read(orphan))?.ppid === process.pid);
      const adopted = native.hasChildren();
      dead.push(native.deadChild());
      process.kill(orphan, 'SIGKILL');
      await until(async () => (await table.read(orphan))?.state === 'Z');
      const zombie = native.hasChildren();
      dead.push(native.deadChild() === orphan, native.deadChild() === orphan);
      native.reap(orphan);
      dead.push(native.deadChild());
      answer({ none, code, adopted, zombie, after: native.hasChildren(), dead });
    `);
    expect(outcome).toEqual({
      none: false,
      code: 7,
      adopted: true,
      zombie: true,
      after: false,
      dead: ['none', 'none', true, true, 'none'],
    });
  });

  test('refuse to reap "any child"', async () => {
    const refused = await runScript(`
      import { loadNative } from './native/native.ts';
      const native = await loadNative();
      if (!native.available) throw new Error(native.why);
      answer([0, -1, 1, 1.5, NaN].map((pid) => {
        try { return native.reap(pid); } catch (error) { return (error as Error).name; }
      }));
    `);
    expect(refused).toEqual(Array(5).fill('RangeError'));
  });

  test('a pidfd never reaches the next owner of the number', async () => {
    const outcome = await runScript(`
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      import { readdirSync } from 'node:fs';
      import { loadNative } from './native/native.ts';
      const native = await loadNative();
      if (!native.available || !native.pidfd) throw new Error('no pidfd');
      const { pidfd } = native;
      const child = spawn('sleep', ['30'], { stdio: 'ignore' });
      const exit = once(child, 'exit');
      const fds = () => readdirSync('/proc/self/fd').length;
      const before = fds();
      const fd = pidfd.open(child.pid ?? 0);
      const sent = pidfd.send(fd as number, 'SIGTERM');
      const [, signal] = await exit;
      const late = pidfd.send(fd as number, 'SIGTERM');
      pidfd.close(fd as number);
      answer({ sent, signal, late, gone: pidfd.open(child.pid ?? 0), closed: fds() <= before });
    `);
    expect(outcome).toEqual({
      sent: null,
      signal: 'SIGTERM',
      late: 'ESRCH',
      gone: 'ESRCH',
      closed: true,
    });
  });

  test('make a FIFO, or say why not', async () => {
    const outcome = await runScript(`
      import { statSync } from 'node:fs';
      import { loadNative } from './native/native.ts';
      const native = await loadNative();
      if (!native.available) throw new Error(native.why);
      native.mkfifo('stdin', 0o600);
      const { mode } = statSync('stdin');
      try { native.mkfifo('stdin', 0o600); } catch (error) { answer({ mode, code: error.code }); }
    `);
    expect(outcome).toEqual({ mode: 0o010600, code: 'EEXIST' });
  });

  const filterable = process.arch === 'x64' || process.arch === 'arm64';
  const probe = `
    import { spawn } from 'node:child_process';
    import { once } from 'node:events';
    import { loadNative } from './native/native.ts';
    const native = await loadNative();
    if (!native.available) throw new Error(native.why);
    const subreaper = native.becomeSubreaper();
    const none = native.hasChildren();
    const child = spawn('sleep', ['30'], { stdio: 'ignore' });
    const some = native.hasChildren();
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    answer({ subreaper, children: [none, some], noPidfd: native.whyNoPidfd });`;
  const held = { held: true, why: null };

  test.runIf(filterable).each([
    ['prctl', { subreaper: { held: false, why: 'prctl: ERRNO' } }],
    ['waitid', { children: [null, null] }],
    ['pidfd_open', { noPidfd: 'pidfd_open: ERRNO' }],
    ['pidfd_send_signal', { noPidfd: 'pidfd_send_signal: ERRNO' }],
  ])('say what a seccomp filter refuses: %s', async (call, expected) => {
    for (const errno of ['EPERM', 'ENOSYS']) {
      const under = fixture('seccomp', errno, call);
      const unfiltered = { subreaper: held, children: [false, true], noPidfd: null };
      const refused = JSON.parse(JSON.stringify(expected).replaceAll('ERRNO', errno));
      expect(await runScript(probe, { under })).toEqual({ ...unfiltered, ...refused });
    }
  });
});
