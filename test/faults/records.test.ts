import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { bystander } from '../support/bystander.ts';
import { devctl } from '../support/devctl.ts';
import { statusReport, stopReport } from '../support/reports.ts';
import { service, signalSupervisor } from '../support/services.ts';
import { modeTest } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
const STACK = /\n\s+at |TypeError|RangeError|SyntaxError/;

/** Every file that devctl keeps, with the files that only live for a moment or that only a script writes. */
const RECORDS = [
  'services/web.json',
  'ledger/web',
  'supervisor.json',
  'lock',
  'last-stop.json',
  'founding.json',
  'project.json',
  'services.pids',
  'services.pids.groups',
  'services.pids.services',
];

interface Damage {
  readonly name: string;
  /** Only root can do it. */
  readonly needsRoot?: true;
  /** Puts the damage at `path`, where the file with these bytes was removed. */
  readonly make: (path: string, old: Buffer) => void | Promise<void>;
}

const DAMAGES: readonly Damage[] = [
  {
    name: 'cut short',
    make: (path, old) => writeFileSync(path, old.subarray(0, old.length * 0.6)),
  },
  {
    name: 'garbage',
    make: (path) => writeFileSync(path, Buffer.from([0, 255, 254, 10, 128, 123])),
  },
  {
    name: 'of a later version',
    make: (path, old) => writeFileSync(path, old.toString().replaceAll(/("schema": ?)1/g, '$1 99')),
  },
  { name: 'empty', make: (path) => writeFileSync(path, '') },
  {
    name: 'huge',
    make(path, old) {
      writeFileSync(path, old);
      // A sparse file: it costs no disk, and would cost 2 GB to read.
      truncateSync(path, 2 ** 31);
    },
  },
  { name: 'a folder', make: (path) => void mkdirSync(path) },
  {
    name: 'a link to /etc/passwd',
    make: (path) => symlinkSync('/etc/passwd', path),
  },
  { name: 'a FIFO', make: (path) => void execFileSync('mkfifo', [path]) },
  { name: 'a socket', make: putSocket },
  {
    name: 'a device',
    needsRoot: true,
    make: (path) => void execFileSync('mknod', [path, 'c', '1', '5']),
  },
  {
    name: "another user's",
    needsRoot: true,
    make(path, old) {
      writeFileSync(path, old);
      chownSync(path, NOBODY, NOBODY);
    },
  },
];

async function putSocket(path: string): Promise<void> {
  // This path is too long for an address, so the socket is bound elsewhere and moved here before the close removes it.
  const short = join(tmpdir(), `devctl-${process.pid}.sock`);
  const server = createServer().listen(short);
  await once(server, 'listening');
  renameSync(short, path);
  server.close();
}

/** Puts the same damage in the place of every record. */
async function damageAll(project: TemporaryProject, damage: Damage): Promise<void> {
  for (const name of RECORDS) {
    const path = project.file(`.pids/${name}`);
    const old = existsSync(path) ? readFileSync(path) : Buffer.from('{"schema":1}');
    rmSync(path, { force: true });
    await damage.make(path, old);
    // A file that is no lock is spared for five seconds, in which a writer could still be at work on it.
    if (name === 'lock' && lstatSync(path).isFile()) utimesSync(path, 1, 1);
  }
}

const services = { web: service('own-session'), db: service('fan', ['1']) };

for (const [index, damage] of DAMAGES.entries()) {
  // Half of the damages meet a supervisor that knows better, and writes its records again.
  const supervised = index % 2 === 1;
  // One of each half.
  modeTest(index < 2 ? 0 : index).runIf(isRoot || !damage.needsRoot)(
    `every record is ${damage.name}: devctl says so, ends everything, harms no bystander, and starts again`,
    async () => {
      await using project = await temporaryProject({ services });
      await using stranger = await bystander('node server.js', project.root);
      const passwd = readFileSync('/etc/passwd');
      expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
      const own = () => project.oracle.everything().filter(({ pid }) => pid !== stranger.pid);
      const running = project.oracle.processes().length;
      expect(running).toBe(4);
      const isLater = damage.name === 'of a later version';
      if (!supervised) await signalSupervisor(project, 'SIGKILL');
      await damageAll(project, damage);

      const status = await statusReport(project);
      expect(status.stderr).not.toMatch(STACK);
      expect([0, 3]).toContain(status.exitCode);
      const said = status.report.problems.join('\n');
      for (const name of ['web.json', 'supervisor.json']) expect(said).toContain(name);
      const counted = status.report.services.reduce((sum, { processes }) => sum + processes, 0);
      expect(counted + status.report.unattributed.length).toBe(running);

      const { exitCode, report, stderr } = await stopReport(project);
      expect(stderr).not.toMatch(STACK);
      expect(exitCode, JSON.stringify(report)).toBe(0);
      expect(own()).toEqual([]);
      if (!supervised) {
        expect(report.problems.join('\n')).toContain('web.json');
        const names = readdirSync(project.file('.pids/services')).join(' ');
        expect(names).toMatch(isLater ? /web\.json/ : /web\.json\.corrupt-/);
      }

      const again = await devctl(project, 'start');
      expect(again.stderr).not.toMatch(STACK);
      expect(again.exitCode, again.stderr).toBe(0);
      const forced = await devctl(project, 'stop', '--force');
      expect(forced.exitCode, forced.stderr).toBe(0);
      expect(own()).toEqual([]);
      expect(stranger.alive()).toBe(true);
      expect(readFileSync('/etc/passwd').equals(passwd)).toBe(true);
    },
  );
}
