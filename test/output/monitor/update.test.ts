import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linesShown } from '../../../src/output/monitor/log-view.ts';
import { type Model, NO_SERVICE, serviceRows } from '../../../src/output/monitor/model.ts';
import { type MonitorEvent, update } from '../../../src/output/monitor/update.ts';
import { anyKeys, anyServices, monitorOf, observation, pressed, written } from './models.ts';

const SERVICES = [{ name: 'web', commands: ['sh', 'node'] }, { name: 'db' }, { name: 'worker' }];
const begin = (): Model => monitorOf(SERVICES);
const key = (model: Model, name: string) => update(model, { kind: 'key', key: name });
const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `line ${index + 1}`);
const shown = (model: Model, height = 5): string[] =>
  linesShown(model.log, height).map(({ text }) => text);

test('a progress bar stays in its line; another continued line is marked', () => {
  const hear = (model: Model, text: string, continues: boolean): Model =>
    update(model, { kind: 'lines', service: 'web', lines: [{ text, continues }], anew: false })
      .model;
  const bar = hear(hear(written(begin(), 'before'), '\r1%\r10%', false), '\r20%\r30%', true);
  expect(shown(bar)).toEqual(['before', '30%']);
  expect(shown(hear(bar, '\rdone', true))).toEqual(['before', 'done']);
  expect(shown(hear(bar, ' and more', true))).toEqual(['before', '30%', '…  and more']);
  expect(shown(written(bar, 'next'))).toEqual(['before', '30%', 'next']);
});

describe('choosing', () => {
  test.each([
    [['down'], 'db'],
    [['j', 'j', 'j', 'j'], 'worker'],
    [['down', 'up', 'k'], 'web'],
    [['f', 'w', 'o', 'enter'], 'worker'],
    [['down', 'f', 'w', 'escape'], 'web'],
  ])('%j chooses %s', (keys, name) => {
    expect(pressed(begin(), ...keys).chosen).toBe(name);
  });

  test('another choice follows another log, and drops the lines of the last one', () => {
    const { model, effects } = key(written(begin(), 'of web'), 'down');
    expect(effects).toEqual([{ kind: 'follow', service: 'db' }]);
    expect(model.log.lines).toEqual([]);
    // Late lines of the earlier service are not shown as lines of the new one.
    const late: MonitorEvent = {
      kind: 'lines',
      service: 'web',
      lines: [{ text: 'late', continues: false }],
      anew: false,
    };
    expect(update(model, late).model.log.lines).toEqual([]);
  });

  test('a service that goes away is no longer chosen', () => {
    const seen = observation([{ name: 'db' }], 2_000);
    const { model, effects } = update(begin(), { kind: 'observed', observation: seen });
    expect(model.chosen).toBe('db');
    expect(effects).toEqual([{ kind: 'follow', service: 'db' }]);
  });
});

describe('acting', () => {
  test.each([
    ['r', 'restart', 'restarting web'],
    ['s', 'stop', 'stopping web'],
    ['t', 'start', 'starting web'],
    ['enter', 'start', 'starting web'],
  ])('%s does it at once, and says so', (name, verb, text) => {
    const { model, effects } = key(begin(), name);
    expect(effects).toEqual([{ kind: 'act', action: { verb, service: 'web' } }]);
    expect(model.message?.text).toBe(text);
  });

  test('actions run one after the other', () => {
    const first = key(begin(), 'r').model;
    const waiting = pressed(first, 'down', 's', 's');
    expect(waiting.actions.map(({ verb, service }) => `${verb} ${service}`)).toEqual([
      'restart web',
      'stop db',
    ]);
    const result = { code: 1, document: { error: { message: 'no', hint: null } }, lastLine: '' };
    const { model, effects } = update(waiting, { kind: 'ended', result });
    expect(effects).toEqual([{ kind: 'act', action: { verb: 'stop', service: 'db' } }]);
    expect(model.message).toMatchObject({ good: false, text: 'web: no' });
  });

  test('a second stop of the same service kills what is left', () => {
    expect(key(key(begin(), 's').model, 's').effects).toEqual([{ kind: 'interrupt' }]);
  });

  test('processes of no service cannot be acted on', () => {
    const seen = observation([], 2_000);
    const nobodys = { service: null, processes: 1, rssBytes: 1, roots: [] };
    const event: MonitorEvent = {
      kind: 'observed',
      observation: { ...seen, trees: [nobodys] },
    };
    const { model } = update(monitorOf([]), event);
    expect(model.chosen).toBe(NO_SERVICE);
    expect(key(model, 's').effects).toEqual([]);
  });

  test('pasted text and text typed into a search do not act', () => {
    expect(key(begin(), 'paste:sssr\nq').effects).toEqual([]);
    const typing = pressed(begin(), '/');
    for (const name of ['s', 'r', 'q', 't', 'enter']) expect(key(typing, name).effects).toEqual([]);
  });

  test('a result goes away by itself', () => {
    const result = { code: 0, document: undefined, lastLine: '' };
    const { model } = update(key(begin(), 's').model, { kind: 'ended', result });
    expect(model.message).not.toBeNull();
    const late = observation(SERVICES, 60_000);
    expect(update(model, { kind: 'observed', observation: late }).model.message).toBeNull();
  });
});

describe('the log', () => {
  test('follows until it is scrolled; then its lines stay in place', () => {
    const model = written(begin(), ...numbered(50));
    expect(shown(model).at(-1)).toBe('line 50');
    const back = pressed(model, 'pageup');
    const read = shown(back);
    expect(read.at(-1)).not.toBe('line 50');
    expect(shown(written(back, 'new'))).toEqual(read);
    expect(shown(pressed(written(back, 'new'), 'end')).at(-1)).toBe('new');
    expect(shown(pressed(back, 'g'), 1)).not.toEqual([]);
  });

  test('the search goes to the newest match, and on with n and N', () => {
    const model = written(begin(), 'an Error', ...numbered(30), 'error two', 'fine');
    const found = pressed(model, '/', ...'error', 'enter');
    const at = (one: Model): string =>
      one.log.lines.find(({ number }) => number === one.log.found)?.text ?? '';
    expect(at(found)).toBe('error two');
    expect(at(pressed(found, 'n'))).toBe('an Error');
    expect(at(pressed(found, 'n', 'n'))).toBe('an Error');
    expect(at(pressed(found, 'n', 'N'))).toBe('error two');
    expect(at(pressed(model, '/', ...'Error', 'enter'))).toBe('an Error');
    expect(pressed(found, 'escape').search).toBe('');
  });

  test('is bounded, and the oldest lines leave the screen when they are dropped', () => {
    const back = pressed(written(begin(), ...numbered(100)), 'home');
    const later = written(back, ...numbered(5_000));
    expect(later.log.lines.length).toBe(2_000);
    expect(shown(later).length).toBeGreaterThan(0);
  });
});

test('after any keys and observations, the chosen service exists, and q quits unless text is being typed', () => {
  fc.assert(
    fc.property(anyServices, anyKeys, anyServices, anyKeys, (first, before, second, after) => {
      const early = pressed(monitorOf(first), ...before);
      const seen = observation(second, 5_000);
      const middle = update(early, { kind: 'observed', observation: seen }).model;
      const model = pressed(middle, ...after);
      const names = serviceRows(model).map(({ name }) => name);
      expect(model.chosen === null ? names : [model.chosen]).toEqual(
        model.chosen === null ? [] : names.filter((name) => name === model.chosen),
      );
      const effects = key(model, 'q').effects.map(({ kind }) => kind);
      expect(effects.includes('quit')).toBe(model.typing === null);
    }),
    { numRuns: 300 },
  );
});
