import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { cleanEnvironment } from './test/support/clean-environment.ts';

const all = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/${name}`);

/** Only files with tests of `npm run test:full` import the sets: see `test/support/sets.ts`. */
const files =
  process.env.DEVCTL_TEST_SET === 'full'
    ? all.filter((file) => /from '.*\/sets\.ts';/.test(readFileSync(file, 'utf8')))
    : all;

/** The time of a start of Node from which on a machine counts as slow, in ms: most need 40. */
const SLOW_START_MS = 80;

/** Files that keep all cores busy by themselves, or start so many processes that they disturb the others. */
const CROWDED = [
  'test/e2e/bystanders-recycled.test.ts',
  'test/e2e/containers-engine.test.ts',
  'test/e2e/emergency.test.ts',
  'test/e2e/fork-storm.test.ts',
  'test/e2e/incident.test.ts',
  'test/e2e/process-limit.test.ts',
  'test/e2e/zoo.test.ts',
  'test/faults/sigkill.test.ts',
];

/** The files in their order. The first one takes seven minutes in `npm run test:full`. */
const SLOW = [/\/faults\/containers-sigkill\./, /\/test\/(e2e|faults)\//, /./];

/**
 * Begins with the files that take long. vitest begins with the large ones, so a small file that takes 20 s began last and
 * ran alone.
 */
class SlowFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(specifications);
    const placeOf = ({ moduleId }: TestSpecification) =>
      SLOW.findIndex((pattern) => pattern.test(moduleId));
    return sorted.toSorted((one, other) => placeOf(one) - placeOf(other));
  }
}

/**
 * More than the two cores of a small machine, because most tests wait for a process most of the time. Where a start of Node
 * takes long, the processes that they wait for keep the cores busy, and more workers bring only load.
 */
function workers(): number {
  const times = Array.from({ length: 3 }, () => {
    const beganMs = performance.now();
    spawnSync(process.execPath, ['-e', '0'], { env: cleanEnvironment() });
    return performance.now() - beganMs;
  });
  return Math.min(...times) > SLOW_START_MS ? 3 : 5;
}

const shared = {
  setupFiles: ['test/support/check-titles.ts'],
  // Longer than `until` waits, so that its message is shown. A busy machine takes its time.
  testTimeout: 180_000,
  hookTimeout: 180_000,
  // Each file would start another process of Node, and read its modules anew.
  isolate: false,
};

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-teardown.ts'],
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        test: {
          ...shared,
          name: 'together',
          include: files.filter((file) => !CROWDED.includes(file)),
          maxWorkers: workers(),
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'one by one',
          include: files.filter((file) => CROWDED.includes(file)),
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
