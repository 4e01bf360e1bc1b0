import { relative } from 'node:path';
import { afterAll, type RunnerTestSuite } from 'vitest';
import { repositoryRoot } from './paths.ts';
import { set } from './sets.ts';
import { followsSource, listedTitles } from './titles.ts';

// A setup file of vitest: it is carried out for each test file, and so is this hook.
// biome-ignore lint/correctness/noEmptyPattern: vitest reads from the first parameter which fixtures to set up
afterAll(({}, { file }) => {
  const path = relative(repositoryRoot, file.filepath);
  if (!path.startsWith('test/')) return;
  const found = new Set(titlesOf(file).filter((title) => !followsSource(title)));
  const entry = listedTitles()[path];
  const quick = set === 'full' ? [] : (entry?.['npm test'] ?? []);
  const full = set === 'quick' ? [] : (entry?.['npm run test:full'] ?? []);
  const listed = new Set([...quick, ...full]);
  const complaints = [
    ...[...found].filter((title) => !listed.has(title)).map((title) => `not in the list: ${title}`),
    ...[...listed]
      .filter((title) => !found.has(title))
      .map((title) => `gone from the tests: ${title}`),
  ];
  if (complaints.length === 0) return;
  const heading = `${path} and test/titles.json, which maps each test to the command that runs it, differ`;
  throw new Error(
    [heading, ...complaints, '→ npm run titles, and look at the difference'].join('\n'),
  );
});

/** The full titles of all tests in a suite, whether they run here or not. */
function titlesOf({ tasks }: RunnerTestSuite): string[] {
  return tasks.flatMap((task) =>
    task.type === 'suite' ? titlesOf(task).map((title) => `${task.name} > ${title}`) : [task.name],
  );
}
