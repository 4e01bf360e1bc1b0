import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { bystander } from '../support/bystander.ts';
import { type DevctlResult, devctl } from '../support/devctl.ts';
import { readProcesses } from '../support/read-processes.ts';
import { parseReport } from '../support/reports.ts';
import { describeSeen, type SeenProcess } from '../support/seen-process.ts';
import { removeAll, service, signalSupervisor } from '../support/services.ts';
import { bothTest, isFull } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { anyMutation, type Mutation } from './mutations.ts';

/** `npm test` takes a sample, whose seed is printed on failure. `DEVCTL_TEST_FUZZ=500` looks longer. */
const RUNS = Number(process.env.DEVCTL_TEST_FUZZ ?? (isFull ? 20 : 3));
/** A bystander is replaced after this time, in ms, because it ends by itself some minutes after its start. */
const STRANGER_MS = 40_000;

const FILES = [
  'services/web.json',
  'services/db.json',
  'ledger/web',
  'supervisor.json',
  'lock',
  'last-stop.json',
  'founding.json',
  'project.json',
];
const FOUNDING = ['services.pids', 'services.pids.groups', 'services.pids.services'];

const services = { web: service('own-session'), db: service('fan', ['1']) };

bothTest(
  'with damaged records, status and stop say so, end our processes and harm no bystander',
  {
    timeout: 60_000 + RUNS * 60_000,
  },
  async () => {
    await using project = await temporaryProject({ services });
    await using elsewhere = await temporaryProject();
    let neighbour = await bystander('node server.js', project.root);
    let stranger = await bystander('node server.js', elsewhere.root);
    let bornAtMs = performance.now();
    const own = () => project.oracle.everything().filter(({ pid }) => pid !== neighbour.pid);
    const isSensible = ({ exitCode, stderr }: DevctlResult, codes: readonly number[]) => {
      expect(stderr).not.toMatch(/\n\s+at |TypeError|RangeError|SyntaxError|mistake/);
      expect(codes, stderr).toContain(exitCode);
    };

    // The pids of living bystanders cannot be in an arbitrary, which must produce the same values again.
    const STAND_IN = { neighbour: 3_999_991, stranger: 3_999_992, self: 3_999_993 };
    const numbers = Object.values(STAND_IN);
    // The old files have no start times, so every process that works in the project may be named there, by design.
    const elsewhereOnly = [STAND_IN.stranger, STAND_IN.self];
    const damage = fc
      .tuple(
        fc.dictionary(fc.constantFrom(...FILES), anyMutation(numbers), { minKeys: 1, maxKeys: 3 }),
        fc.dictionary(fc.constantFrom(...FOUNDING), anyMutation(elsewhereOnly), { maxKeys: 1 }),
      )
      .map(([files, founding]): Readonly<Record<string, Mutation>> => ({ ...files, ...founding }));
    const command = fc.constantFrom(['stop'], ['stop'], ['stop', '--force']);

    await fc.assert(
      fc.asyncProperty(damage, fc.boolean(), command, async (mutations, orphaned, args) => {
        if (performance.now() - bornAtMs > STRANGER_MS) {
          bornAtMs = performance.now();
          await neighbour[Symbol.asyncDispose]();
          await stranger[Symbol.asyncDispose]();
          neighbour = await bystander('node server.js', project.root);
          stranger = await bystander('node server.js', elsewhere.root);
        }
        await removeAll(project.file('.pids'));
        const start = await devctl(project, 'start');
        expect(start.exitCode, start.stderr).toBe(0);
        if (orphaned) await signalSupervisor(project, 'SIGKILL');

        const ours = new Set(own().map(({ pid }) => pid));
        const others = readProcesses().filter(({ pid }) => !ours.has(pid));
        const shown: string[] = [];
        for (const [name, mutate] of Object.entries(mutations)) {
          const path = project.file(`.pids/${name}`);
          const old = existsSync(path) ? readFileSync(path) : Buffer.from('{"schema":1}');
          const changed = withLivingPids(mutate(old), {
            [STAND_IN.neighbour]: neighbour.pid,
            [STAND_IN.stranger]: stranger.pid,
            [STAND_IN.self]: process.pid,
          });
          // A record that happens to name a process of another test, with its start time, is one that devctl must believe.
          fc.pre(!others.some((other) => isNamedIn(changed, other)));
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, changed);
          if (name === 'lock') utimesSync(path, 1, 1);
          shown.push(`${name}: ${changed.toString('latin1').slice(0, 3_000)}`);
        }

        try {
          isSensible(await devctl(project, 'status', '--json'), [0, 3]);
          const stop = await devctl(project, ...args, '--json');
          isSensible(stop, [0]);
          const { report } = parseReport<StopReport>(stop);
          expect(report.survivors).toEqual([]);
          expect(own().map(describeSeen)).toEqual([]);
          expect([neighbour.alive(), stranger.alive()]).toEqual([true, true]);
        } catch (cause) {
          const how = `${args.join(' ')}, supervisor ${orphaned ? 'killed' : 'alive'}`;
          throw new Error(`${how}\n${shown.join('\n')}\n${cause}`, { cause });
        }
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    await neighbour[Symbol.asyncDispose]();
    await stranger[Symbol.asyncDispose]();
  },
);

function isNamedIn(bytes: Buffer, { pid, started }: SeenProcess): boolean {
  const numbers = new Set(bytes.toString('latin1').match(/\d+/g));
  return numbers.has(String(pid)) && numbers.has(started);
}

function withLivingPids(bytes: Buffer, pids: Readonly<Record<number, number>>): Buffer {
  const text = Object.entries(pids).reduce(
    (changed, [standIn, pid]) => changed.replaceAll(standIn, String(pid)),
    bytes.toString('latin1'),
  );
  return Buffer.from(text, 'latin1');
}
