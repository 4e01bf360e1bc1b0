import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leftoverUnit } from '../../../src/operations/start/ports.ts';
import { endLeftovers, leftoversInWords } from '../../../src/operations/stop/leftovers.ts';
import { serviceCookie } from '../../../src/ownership/cookie.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { readProjectState, UNATTRIBUTED } from '../../../src/tracking/project-state.ts';
import { createFakeMachine } from '../../support/fake-machine.ts';
import { marksOf } from '../../support/marks.ts';
import { environBlock } from '../../support/process-table.ts';

let root = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'devctl-leftovers-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A machine with a process of `web` and a process of `db`, whose leaders are gone. */
async function leftoversOn(stuck: boolean) {
  const folder = projectFolder(root, join(root, '.pids'));
  const machine = createFakeMachine();
  const [web, db] = ['web', 'db'].map((service) =>
    machine.fork(1, {
      name: service,
      cwd: root,
      environ: environBlock(serviceCookie(marksOf(folder.mark), service, service)) ?? '',
      behaviour: stuck && service === 'web' ? { stuck, onTerm: () => {} } : {},
    }),
  );
  const self = await machine.self();
  const state = readProjectState(folder);
  const context = { host: machine, self, state, forced: () => false, watch: () => {} };
  return { machine, context, web, db };
}

test('only leftovers of the named services are ended', async () => {
  const { machine, context, web, db } = await leftoversOn(false);
  await endLeftovers(context, ['web'], () => {});
  expect(machine.signals.map(({ pid }) => pid)).toContain(web);
  expect(machine.signals.map(({ pid }) => pid)).not.toContain(db);
});

test('the error names the survivors, and has their exit code', async () => {
  const { context, web, db } = await leftoversOn(true);
  const failure = await endLeftovers(context, ['web'], () => {}).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: 'survivors',
    exitCode: 4,
    message: expect.stringContaining(`pid ${web})`),
  });
  expect(String(failure)).not.toContain(`pid ${db})`);
});

test('a start says how many processes it ends, those of no service among them, and names three', async () => {
  const machine = createFakeMachine();
  const services = ['web', 'web', null, null, 'db'];
  const pids = services.map((_service, index) =>
    machine.fork(1, { argv: ['node', index === 0 ? 'a.js' : 'x'.repeat(100)] }),
  );
  const snapshot = await machine.snapshot();
  const claims = pids.flatMap((pid, index) => {
    const process = snapshot.byPid.get(pid);
    const service = services[index] ?? null;
    return process ? [{ process, service, runId: null, evidence: [] }] : [];
  });
  const long = `node ${'x'.repeat(54)}…`;
  expect(leftoversInWords(claims, ['web', UNATTRIBUTED], snapshot)).toBe(
    `4 processes left over of earlier runs of web: node a.js (pid ${pids[0]}), ${long} (pid ${pids[1]}), ${long} (pid ${pids[2]}) and 1 more`,
  );
  expect(leftoversInWords(claims.slice(2, 3), [UNATTRIBUTED], snapshot)).toBe(
    `1 process left over of earlier runs: ${long} (pid ${pids[2]})`,
  );
});

describe('a process that holds a port of a start', () => {
  const of = (...services: (string | null)[]) => services.map((service) => ({ service }));
  test.each<
    [string, string | null, readonly { service: string | null }[], string[], string | null]
  >([
    ['of a running service', 'old', of('old'), ['old'], null],
    ['left over from a service', 'old', of('old', 'db', null), ['db'], 'old'],
    ['of no known service, while a service runs', null, of(null, 'db'), ['db'], null],
    ['of no known service, beside an orphan of a service', null, of(null, 'db'), [], null],
    ['of no known service, alone', null, of(null, null), [], UNATTRIBUTED],
  ])('%s', (_name, service, claims, running, expected) => {
    expect(leftoverUnit({ service }, claims, new Set(running))).toBe(expected);
  });
});
