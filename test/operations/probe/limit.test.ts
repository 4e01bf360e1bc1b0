import { expect, test } from 'vitest';
import { examineText } from '../../../src/manifest/load.ts';
import { definedOnly } from '../../../src/manifest/variables.ts';
import { probeServices } from '../../../src/operations/probe/probe.ts';
import { openHost } from '../../../src/processes/real-host.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { cleanEnvironment } from '../../support/clean-environment.ts';
import { fixture } from '../../support/paths.ts';
import { hasSubreaper } from '../../support/services.ts';
import { temporaryProject } from '../../support/temporary-project.ts';

const OBSERVED_MS = 1_500;

test('a service that never opens its port and a task that never ends are ended when their time is up, with proof', async () => {
  await using project = await temporaryProject();
  const services = {
    web: { command: fixture('fan', '2'), ports: [46_199] },
    task: { command: fixture('sleeper'), oneShot: true },
  };
  const { manifest } = examineText(JSON.stringify({ services }), project.root);
  if (!manifest) throw new Error('the manifest cannot be used');
  const host = openHost();
  const alive: number[] = [];
  const folder = projectFolder(project.root, project.file('.pids'));
  const beganMs = host.nowMs();
  const { seen, stop } = await probeServices(host, folder, manifest, ['web', 'task'], {
    env: definedOnly({ ...cleanEnvironment(), ...project.env }),
    onService: () => alive.push(project.oracle.processes().length),
    interrupted: () => false,
    warn: () => {},
    observedMs: OBSERVED_MS,
  });
  const tookMs = host.nowMs() - beganMs;
  expect(tookMs).toBeGreaterThan(2 * OBSERVED_MS);
  // One that waits for the usual limit takes a minute each.
  expect(tookMs).toBeLessThan(60_000);
  expect(seen.get('web')).toMatchObject({
    failure: null,
    ports: [],
    endedAfterMs: expect.any(Number),
  });
  expect(seen.get('task')).toMatchObject({ failure: 'it did not end within 1.5 s' });
  // web ran while the task was tried, all three processes of it.
  expect(alive).toEqual([0, 3]);
  expect(stop.survivors).toEqual([]);
  if (hasSubreaper) expect(stop.proof).toMatchObject({ strength: 'complete' });
  expect(project.oracle.everything()).toEqual([]);
});
