import { describe, expect, test } from 'vitest';
import { createFakeMachine, DEVCTL, SHELL } from '../support/fake-machine.ts';
import {
  cookieOf,
  endings,
  startService,
  startSupervisor,
  stopOn,
  supervisorEnviron,
} from '../support/fake-project.ts';
import { exitsAfter, ignoresTerm } from '../support/signal-behaviours.ts';

function setUp(services: readonly string[], birth: Parameters<typeof startService>[3] = {}) {
  const machine = createFakeMachine();
  const supervisor = startSupervisor(machine);
  const records = services.map((name) => startService(machine, supervisor, name, birth));
  return { machine, records, supervisor: machine.identity(supervisor) };
}

describe('in time', () => {
  const six = ['a', 'b', 'c', 'd', 'e', 'f'];
  const waves = Object.fromEntries(six.map((name, index) => [name, index]));

  test('six stubborn services in six waves are over in less than 10 s', async () => {
    const { machine, records, supervisor } = setUp(six, { behaviour: ignoresTerm });
    const end = await stopOn(machine, { records, supervisor, waves });
    expect(machine.oursAlive()).toEqual([]);
    expect(end.tookMs).toBeLessThan(10_000);
  });

  test('six willing services are over in less than a second, in order', async () => {
    const { machine, records, supervisor } = setUp(six, { behaviour: exitsAfter(20) });
    const end = await stopOn(machine, { records, supervisor, waves });
    expect(end.tookMs).toBeLessThan(1_000);
    const asked = machine.signals.filter(({ signal }) => signal === 'SIGTERM');
    expect(asked.map(({ pid }) => pid)).toEqual(records.map(({ leader }) => leader?.pid));
  });

  test('with force a stop takes less than 2 s', async () => {
    const { machine, records, supervisor } = setUp(six, { behaviour: ignoresTerm });
    const end = await stopOn(machine, { records, supervisor, force: true });
    expect(machine.oursAlive()).toEqual([]);
    expect(end.tookMs).toBeLessThan(2_000);
  });

  test('the end of one grace period does not end another', async () => {
    const machine = createFakeMachine();
    const supervisor = startSupervisor(machine);
    const records = [200, 2_000].map((graceMs) =>
      startService(machine, supervisor, `s${graceMs}`, { behaviour: ignoresTerm }, { graceMs }),
    );
    await stopOn(machine, { records, supervisor: machine.identity(supervisor) });
    const killed = machine.signals.filter(({ signal }) => signal === 'SIGKILL');
    expect(killed.map(({ name }) => name)).toEqual(['s200', 's2000']);
    expect(killed[1]?.atMs).toBeGreaterThanOrEqual(2_000);
  });

  test('a second Ctrl-C cuts the grace period short, and nothing is killed before it is frozen', async () => {
    const { machine, records, supervisor } = setUp(['web'], { behaviour: ignoresTerm });
    const leader = records[0]?.leader?.pid ?? 0;
    machine.fork(leader, { behaviour: ignoresTerm });
    const forced = () => machine.nowMs() > 800;
    const end = await stopOn(machine, { records, supervisor, forced });
    expect(machine.oursAlive()).toEqual([]);
    expect(end.tookMs).toBeLessThan(1_500);
    const kinds = machine.signals.map(({ signal }) => signal);
    expect(kinds.lastIndexOf('SIGSTOP')).toBeLessThan(kinds.indexOf('SIGKILL'));
  });
});

describe('processes that cannot be ended', () => {
  test("another user's process is a survivor, its neighbours are not", async () => {
    const { machine, records, supervisor } = setUp(['web'], { behaviour: ignoresTerm });
    const leader = records[0]?.leader?.pid ?? 0;
    const root = machine.fork(leader, { uid: 0, behaviour: { denied: true } });
    const end = await stopOn(machine, { records, supervisor });
    expect(machine.oursAlive()).toEqual([root]);
    expect(endings(end.state)).toMatchObject({ web: 'survived' });
    expect(end.tookMs).toBeLessThan(4_000);
  });

  test('a process in uninterruptible sleep, forked in the middle of the kill, is reported', async () => {
    const { machine, records, supervisor } = setUp(['web'], { behaviour: ignoresTerm });
    const leader = records[0]?.leader?.pid ?? 0;
    machine.exit(supervisor.pid);
    let stuck = 0;
    const onClaims = () => {
      // Forked after the scan of the kill began, so no full scan has ever seen it with a parent of ours.
      if (machine.nowMs() > 3_000 && stuck === 0) {
        machine.after(0.01, leader, (world) => {
          stuck = world.fork(leader, { environ: '', cwd: '/', behaviour: { stuck: true } });
          world.setsid(stuck);
        });
      }
    };
    const end = await stopOn(machine, { records, supervisor: null, onClaims });
    expect(machine.oursAlive()).toEqual([stuck]);
    expect(endings(end.state)).toMatchObject({ web: 'survived' });
  });
});

describe('the stop command', () => {
  test('runs before the first signal, and may make it needless', async () => {
    const machine = createFakeMachine();
    const supervisor = startSupervisor(machine);
    const stop = { command: 'app down' };
    const record = startService(machine, supervisor, 'web', { behaviour: ignoresTerm }, stop);
    const runCommand = async () => machine.exit(record.leader?.pid ?? 0);
    await stopOn(machine, {
      records: [record],
      supervisor: machine.identity(supervisor),
      runCommand,
    });
    expect(machine.oursAlive()).toEqual([]);
    expect(machine.signals).toEqual([]);
  });

  test('is not signalled itself, though it carries the cookie', async () => {
    const machine = createFakeMachine();
    const supervisor = startSupervisor(machine);
    const stubborn = startService(machine, supervisor, 'web', { behaviour: ignoresTerm });
    const stop = { command: 'app down', graceMs: 8_000 };
    const slow = startService(machine, supervisor, 'api', { behaviour: ignoresTerm }, stop);
    const runCommand = () => {
      const command = machine.fork(DEVCTL, { environ: cookieOf('api'), behaviour: ignoresTerm });
      machine.setsid(command);
      machine.after(5_000, command, (world, pid) => world.exit(pid));
      return new Promise<void>(() => {});
    };
    const records = [stubborn, slow];
    await stopOn(machine, { records, supervisor: machine.identity(supervisor), runCommand });
    expect(machine.oursAlive()).toEqual([]);
    expect(machine.bystandersSignalled()).toEqual([]);
  });
});

describe('bystanders', () => {
  test("a stranger in one of our groups, another project below us, and devctl's ancestors live on", async () => {
    const { machine, records, supervisor } = setUp(['web'], { behaviour: ignoresTerm });
    const leader = records[0]?.leader?.pid ?? 0;
    const other = machine.fork(leader, { environ: supervisorEnviron('other'), ours: false });
    const bare = machine.fork(other, { environ: '', ours: false });
    machine.setsid(bare);
    await stopOn(machine, { records, supervisor });
    expect(machine.bystandersSignalled()).toEqual([]);
    for (const pid of [1, 2, SHELL, DEVCTL, supervisor.pid, other, bare]) {
      expect(machine.processes.has(pid)).toBe(true);
    }
    expect(machine.oursAlive()).toEqual([]);
  });

  test('a stranger with the number of a recorded leader lives on (E25)', async () => {
    const machine = createFakeMachine();
    const supervisor = startSupervisor(machine);
    const record = startService(machine, supervisor, 'web');
    const pid = record.leader?.pid ?? 0;
    machine.exit(pid);
    await machine.delay(5_000);
    const stranger = machine.fork(1, { pid, pgid: pid, sid: pid, environ: '', ours: false });
    expect(stranger).toBe(pid);
    await stopOn(machine, { records: [record], supervisor: machine.identity(supervisor) });
    expect(machine.signals).toEqual([]);
  });

  test('devctl inside its own service ends all of it but its own ancestors (E33)', async () => {
    const { machine, records } = setUp(['web'], { behaviour: ignoresTerm });
    const leader = records[0]?.leader?.pid ?? 0;
    const terminal = machine.fork(leader, { behaviour: ignoresTerm });
    const neighbour = machine.fork(leader, { environ: '', cwd: '/', behaviour: ignoresTerm });
    const devctl = machine.processes.get(DEVCTL);
    if (devctl) Object.assign(devctl, { ppid: terminal, sid: leader, environ: cookieOf('web') });
    await stopOn(machine, { records, supervisor: null });
    expect(machine.processes.has(neighbour)).toBe(false);
    expect(machine.oursAlive()).toEqual([leader, terminal]);
    expect(machine.signals.map(({ pid }) => pid)).not.toContain(terminal);
  });
});
