import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSample } from '../../src/history/sample-lines.ts';
import { dataForScript, html } from '../../src/output/html/html.ts';
import { reportPage } from '../../src/output/html/page.ts';
import { headline } from '../../src/output/text/words.ts';
import { buildReport } from '../../src/report/build.ts';
import { toBreach, toChange, toStopReport } from '../../src/report/parse-history.ts';
import type { StateChange } from '../../src/report/spans.ts';
import type { StateKind } from '../../src/services/lifecycle/states.ts';
import { changesOf, facts } from '../report/facts.ts';

describe('text in a page', () => {
  test('any text stays text, in elements and in attributes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { html: made } = html`<p title="${text}">${text}</p>`;
        expect(made.match(/[<>]/g)).toEqual(['<', '>', '<', '>']);
        expect(made.match(/"/g)).toHaveLength(2);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
        expect(made).not.toMatch(/[\u0000-\u001F\u007F-\u009F\u202A-\u202E]/);
      }),
    );
  });

  test('data cannot end a script, and the script reads it unchanged', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (json) => {
        const data: unknown = JSON.parse(json);
        const { html: made } = dataForScript('x', [data, '</script><!--']);
        const body = made.slice(made.indexOf('>') + 1, made.lastIndexOf('<'));
        expect(body).not.toMatch(/[<>&]/);
        expect(JSON.parse(body)).toEqual([data, '</script><!--']);
      }),
    );
  });
});

function failed(service: string): StateChange[] {
  return changesOf(service, [1_000, 'spawning'], [2_000, 'failed', 'exited with code 1']);
}

function blocked(service: string): StateChange[] {
  return changesOf(
    service,
    [1_000, 'waiting'],
    [2_000, 'failed', 'waits for api, which failed'],
  ).map((change) => (change.to === 'failed' ? { ...change, blockedBy: ['api'] } : change));
}

test.each([
  ['Nothing grew beyond its limits', changesOf('web', [1_000, 'ready'], [2_000, 'idle'])],
  ['web failed', changesOf('web', [1_000, 'failed'], [2_000, 'idle'])],
  [
    'web failed before, and is ready now',
    changesOf('web', [1_000, 'failed'], [2_000, 'spawning'], [3_000, 'ready']),
  ],
  ['web is unhealthy', changesOf('web', [1_000, 'ready'], [2_000, 'unhealthy'])],
  [
    'Nothing grew beyond its limits',
    changesOf('web', [1_000, 'ready'], [2_000, 'unhealthy'], [3_000, 'idle']),
  ],
  ['web is blocked (waits for api, which failed)', blocked('web')],
  [
    'api failed; web is blocked (waits for api, which failed)',
    [...failed('api'), ...blocked('web')],
  ],
  [
    'api, db failed; web, site are blocked',
    [...failed('api'), ...blocked('web'), ...failed('db'), ...blocked('site')],
  ],
  ['4 services failed', ['a', 'b', 'c', 'd'].flatMap(failed)],
  [
    'Nothing grew beyond its limits',
    [...blocked('web'), ...changesOf('web', [3_000, 'spawning'], [4_000, 'ready'])],
  ],
  [
    'db was restarted 2 times',
    [
      ...changesOf('web', [1_000, 'ready'], [3_000, 'backoff'], [4_000, 'spawning']),
      ...changesOf(
        'db',
        ...([1_000, 2_000, 3_000].flatMap((atMs) => [
          [atMs, 'spawning'],
          [atMs + 10, atMs < 3_000 ? 'backoff' : 'ready'],
        ]) as [number, StateKind][]),
      ),
    ],
  ],
])('without growth, the headline names the service that did not stay up: %s', (told, changes) => {
  const sorted = [...changes].sort((a, b) => a.atMs - b.atMs);
  expect(headline(buildReport(facts({ changes: sorted })))).toBe(told);
});

test('any files on disk give a page', () => {
  const anything = fc.jsonValue();
  const time = fc.oneof(fc.nat(2_000_000), fc.constantFrom(-1, 0.5));
  const stop = fc.record(
    { kind: fc.constant('stop'), at: fc.string(), services: anything },
    { requiredKeys: ['kind', 'at'] },
  );
  const change = fc.record({
    from: fc.constantFrom('idle', 'ready', 'x'),
    to: fc.constantFrom('ready', 'clearing'),
    service: anything,
    reason: anything,
  });
  const branch = fc.record({
    pid: fc.nat(),
    command: fc.string(),
    processes: fc.nat(),
    memoryBytes: fc.nat(),
    service: fc.option(fc.string()),
  });
  const breach = fc.record({
    limit: fc.constantFrom('memory', 'cpu', 'idle', 'x'),
    action: fc.constantFrom('stop', 'warn'),
    service: fc.oneof(fc.string(), fc.constant(null), anything),
    branch: fc.oneof(fc.constant(null), branch, anything),
    value: fc.oneof(fc.nat(), anything),
    allowed: fc.nat(),
    measuredAs: fc.constantFrom('pss', 'rss', null),
  });
  const sample = fc.record({
    atMs: time,
    services: fc.dictionary(fc.string(), fc.tuple(fc.nat(), fc.nat(), fc.nat())),
  });
  fc.assert(
    fc.property(
      fc.oneof(stop, anything),
      fc.array(fc.tuple(time, change)),
      fc.array(fc.tuple(time, breach)),
      fc.array(sample),
      (lastStop, changes, breaches, samples) => {
        const byTime = <Item extends { atMs: number }>(items: Item[]) =>
          items.toSorted((a, b) => a.atMs - b.atMs);
        const account = buildReport(
          facts({
            lastStop: toStopReport(lastStop),
            changes: byTime(
              changes.flatMap(([atMs, fields]) => toChange({ ...fields, atMs }) ?? []),
            ),
            breaches: byTime(breaches.flatMap(([atMs, fields]) => toBreach(fields, atMs) ?? [])),
            samples: byTime(samples.flatMap((one) => parseSample(one) ?? [])),
          }),
        );
        const page = reportPage(account);
        expect(page).toMatch(/<h1>.+<\/h1>/);
        const told = page.slice(page.indexOf('</style>'), page.indexOf('<script>'));
        expect(told).not.toMatch(/\b(undefined|NaN|Infinity|Invalid Date|\[object)/);
      },
    ),
    { numRuns: 200 },
  );
});
