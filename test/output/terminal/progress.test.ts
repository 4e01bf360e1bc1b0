import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { canSpin, openProgress } from '../../../src/output/terminal/open-progress.ts';
import { readyOutcome } from '../../../src/output/terminal/progress.ts';
import type { OutputStream } from '../../../src/output/terminal/theme.ts';
import { until } from '../../support/until.ts';
import { fakeStream } from '../fake-stream.ts';

describe('a spinner only where it works', () => {
  test.each([
    ['a terminal', { columns: 80 }, {}, true],
    ['a pipe', {}, {}, false],
    ['a terminal of 0 columns', { columns: 0 }, {}, false],
    ['TERM=dumb', { columns: 80 }, { TERM: 'dumb' }, false],
    ['CI', { columns: 80 }, { CI: 'true' }, false],
    ['CI=false', { columns: 80 }, { CI: 'false' }, true],
  ])('%s', (_name, terminal, env, expected) => {
    expect(canSpin(fakeStream(terminal), env)).toBe(expected);
  });
});

test('a pipe gets plain, stable lines', () => {
  const stream = fakeStream();
  const progress = openProgress({ stream, env: { FORCE_COLOR: '1' } });
  progress.pending('web', 'starting');
  progress.succeeded('web', readyOutcome(1234, 123));
  progress.failed('api', 'exited with code 1');
  progress.note('2 services');
  progress.close();
  expect(stream.text()).toBe(
    [
      'devctl: starting web',
      'devctl: web ready in 1.2 s (pid 123)',
      'devctl: api exited with code 1',
      'devctl: 2 services',
      '',
    ].join('\n'),
  );
});

describe('on a terminal', () => {
  test('one spinner names the pending services; those that are done stay above it', async () => {
    const terminal = fakeTerminal();
    const progress = openProgress({ stream: terminal.stream, color: false, env: {} });
    progress.pending('web', 'starting');
    progress.pending('api', 'starting');
    await until(() => terminal.text().includes('starting web, api (0 of 2)'));
    progress.succeeded('api', 'ready in 20 ms');
    await until(() => terminal.text().includes('starting web (1 of 2)'));
    progress.failed('web', 'exited with code 1');
    progress.close();
    const lines = stripVTControlCharacters(terminal.text());
    expect(lines).toContain('✓ api ready in 20 ms\n');
    expect(lines).toContain('✗ web exited with code 1\n');
    expect(terminal.text()).not.toMatch(COLOR);
  });

  test('the last answer of what is waited for is shown, and the total from the beginning', async () => {
    const terminal = fakeTerminal(100);
    const progress = openProgress({ stream: terminal.stream, color: false, env: {} });
    progress.expect(3, () => 2_400);
    progress.pending('web', 'waiting for');
    progress.answered('web', 'http://localhost:5173 answered 404');
    const shown =
      /waiting for web \(0 of 3, \d s, usually 3 s\) web: http:\/\/localhost:5173 answered 404, \d s/;
    await until(() => shown.test(terminal.text()));
    progress.close();
  });

  test('a spinner that loads after the close never starts', async () => {
    const terminal = fakeTerminal();
    const progress = openProgress({ stream: terminal.stream, color: true, env: {} });
    progress.pending('web', 'starting');
    progress.succeeded('web', 'ready');
    progress.close();
    await Promise.all([import('ora'), import('chalk')]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(terminal.text()).toBe('✓ web ready\n');
  });

  test('names that do not fit are cut, so that the line never wraps', async () => {
    const terminal = fakeTerminal(40);
    const progress = openProgress({ stream: terminal.stream, color: false, env: {} });
    for (let service = 0; service < 30; service += 1)
      progress.pending(`agent-${service}`, 'starting');
    await until(() => terminal.text().includes('… (0 of 30)'));
    progress.close();
  });
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes start with ESC
const COLOR = /\u001B\[[1-9]\d*m/;

/** Creates a terminal as ora needs it: ora moves the cursor through methods of the stream. */
function fakeTerminal(columns = 80): { stream: OutputStream; text: () => string } {
  const written: string[] = [];
  const stream = Object.assign(new PassThrough(), {
    isTTY: true,
    columns,
    cursorTo: () => true,
    moveCursor: () => true,
    clearLine: () => true,
  });
  stream.on('data', (chunk: Buffer) => written.push(chunk.toString()));
  return { stream, text: () => written.join('') };
}
