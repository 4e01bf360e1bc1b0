import { appendFileSync, symlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { LogLine } from '../../src/logs/line-cutter.ts';
import { openLiveTail } from '../../src/logs/live-tail.ts';
import { openLogSource } from '../../src/logs/source.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

test('shows the last lines, then new ones, and after a flood the last lines again', async () => {
  await using project = await temporaryProject({ services: {} });
  const path = project.write('.pids/logs/web.log', 'one\ntwo\nthree\n');
  let shown: readonly LogLine[] = [];
  let begun = 0;
  const watching = openLiveTail({
    source: openLogSource(projectFolder(project.root), 'web', path),
    lines: 2,
    onLines(lines, anew) {
      if (anew) begun += 1;
      shown = anew ? lines : [...shown, ...lines];
    },
  });
  const texts = (): string => shown.map(({ text }) => text).join(' ');
  try {
    expect(texts()).toBe('two three');
    appendFileSync(path, 'four\n');
    await until(() => texts() === 'two three four');
    // More than one read takes: the lines in between are left out, and the last lines are shown.
    appendFileSync(path, `${'x'.repeat(99)}\n`.repeat(20_000));
    appendFileSync(path, 'last\n');
    await until(() => texts().endsWith(' last'));
    expect([shown.length, begun]).toEqual([2, 2]);
    appendFileSync(path, 'after\n');
    await until(() => texts().endsWith(' last after'));
  } finally {
    watching.stop();
  }
});

test('a log that cannot be read is reported among the lines', async () => {
  await using project = await temporaryProject({ services: {} }, { secret: 'text\n' });
  symlinkSync(project.file('secret'), project.file('web.log'));
  const heard: string[] = [];
  const watching = openLiveTail({
    source: openLogSource(projectFolder(project.root), 'web', project.file('web.log')),
    lines: 2,
    onLines: (lines, anew) => void heard.push(`${anew} ${lines.map(({ text }) => text)}`),
  });
  try {
    expect(heard).toEqual([
      expect.stringMatching(/^true devctl: the log of web cannot be read: ELOOP/),
    ]);
  } finally {
    watching.stop();
  }
});

test('a log that appears later is shown', async () => {
  await using project = await temporaryProject({ services: {} });
  const folder = projectFolder(project.root);
  const path = project.file('.pids/logs/web.log');
  const shown: string[] = [];
  const watching = openLiveTail({
    source: openLogSource(folder, 'web', path),
    lines: 10,
    onLines: (lines) => shown.push(...lines.map(({ text }) => text)),
  });
  try {
    project.write('.pids/logs/web.log', 'hello\n');
    await until(() => shown.join() === 'hello');
  } finally {
    watching.stop();
  }
});
