import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openProcessTable } from '../../src/processes/open-table.ts';
import { findPortHolders, findSocketOwners, listeners } from '../../src/processes/ports.ts';
import { NOBODY, needsRoot } from './support/nobody.ts';
import { runScript } from './support/script.ts';
import { start } from './support/started.ts';

async function listen(host: string): Promise<number> {
  const server = createServer();
  onTestFinished(() => void server.close());
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function bind(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  onTestFinished(() => void socket.close());
  await once(socket, 'listening');
  return socket.address().port;
}

const ways = process.platform === 'linux' ? ['', 'portable'] : ['portable'];

describe.each(ways)('DEVCTL_PROCESS_TABLE=%s', (kind) => {
  test.each([
    ['127.0.0.1', ['127.0.0.1']],
    ['0.0.0.0', ['0.0.0.0', '*']],
    ['::1', ['::1']],
    ['::', ['::', '*']],
  ])('a server on %s', async (host, addresses) => {
    vi.stubEnv('DEVCTL_PROCESS_TABLE', kind);
    onTestFinished(() => void vi.unstubAllEnvs());
    const port = await listen(host);
    const found = (await listeners()).filter((one) => one.port === port);
    expect(found).toMatchObject([{ port, uid: process.getuid?.() }]);
    expect(addresses).toContain(found[0]?.address);
    const snapshot = await openProcessTable().snapshot();
    const self = snapshot.byPid.get(process.pid);
    const holder = { port, process: self, uid: process.getuid?.() };
    expect(await findPortHolders([port], snapshot)).toEqual([holder]);
    expect(await findPortHolders([port], snapshot, self ? [self] : [])).toEqual([holder]);
  });

  test('a UDP socket, and none that is connected or of TCP', async () => {
    vi.stubEnv('DEVCTL_PROCESS_TABLE', kind);
    onTestFinished(() => void vi.unstubAllEnvs());
    const port = await bind();
    const connected = await bind();
    const tcp = await listen('127.0.0.1');
    const other = createSocket('udp4').bind(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    other.connect(connected, '127.0.0.1');
    await once(other, 'connect');
    const snapshot = await openProcessTable().snapshot();
    const self = snapshot.byPid.get(process.pid);
    const holder = { process: self, uid: process.getuid?.() };
    const asked = [`${port}/udp`, `${other.address().port}/udp`, `${tcp}/udp`, port, tcp] as const;
    const found = await findPortHolders(asked, snapshot);
    expect(found).toEqual([
      { port: tcp, ...holder },
      { port: `${port}/udp`, ...holder },
    ]);
    expect(await findSocketOwners([`${port}/udp`], snapshot)).toEqual([
      { port: `${port}/udp`, process: self },
    ]);
  });

  test('everybody who shares a socket owns it', async () => {
    vi.stubEnv('DEVCTL_PROCESS_TABLE', kind);
    onTestFinished(() => void vi.unstubAllEnvs());
    const program = `use Socket; $| = 1;
      socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(0, INADDR_LOOPBACK)); listen(S, 5);
      my ($port) = sockaddr_in(getsockname S); my $pid = fork; sleep 60 if !$pid;
      print "$$ $pid $port\\n"; $SIG{TERM} = sub { kill 9, $pid; exit }; sleep 60`;
    const server = spawn('perl', ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => void server.kill());
    const [line] = await once(server.stdout, 'data');
    const [parent, child, port = 0] = String(line).trim().split(' ').map(Number);
    const snapshot = await openProcessTable().snapshot();
    const owners = await findSocketOwners([port], snapshot);
    expect(owners.map((one) => [one.port, one.process.identity.pid]).sort()).toEqual(
      [
        [port, parent],
        [port, child],
      ].sort(),
    );
    expect(await findSocketOwners([], snapshot)).toEqual([]);
  });

  test('a port that nobody holds has no holder', async () => {
    vi.stubEnv('DEVCTL_PROCESS_TABLE', kind);
    onTestFinished(() => void vi.unstubAllEnvs());
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const snapshot = await openProcessTable().snapshot();
    expect((await listeners()).filter((one) => one.port === port)).toEqual([]);
    expect(await findPortHolders([port], snapshot)).toEqual([]);
    expect(await findPortHolders([], snapshot)).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('another user', () => {
  test('holds a port', async () => {
    needsRoot();
    const program = `require('net').createServer().listen(0, '127.0.0.1', function () {
      console.log(this.address().port);
    })`;
    const args = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath];
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const { child, pid } = await start('setpriv', [...args, '-e', program], { stdio: [...stdio] });
    if (!child.stdout) throw new Error('no output');
    const port = Number(String(await once(child.stdout, 'data')));
    const snapshot = await openProcessTable().snapshot();
    expect(await findPortHolders([port], snapshot)).toEqual([
      { port, process: snapshot.byPid.get(pid), uid: NOBODY },
    ]);
  });

  test('is known by number where the process may not be looked at', async () => {
    needsRoot();
    const port = await listen('127.0.0.1');
    const holders = await runScript(
      `import { findPortHolders } from './ports.ts';
       import { openProcessTable } from './open-table.ts';
       answer(await findPortHolders([${port}], await openProcessTable().snapshot()));`,
      { asNobody: true },
    );
    expect(holders).toEqual([{ port, process: null, uid: process.getuid?.() }]);
  });
});
