import { mkdirSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadManifest } from '../../src/manifest/load.ts';
import { folderWith, write } from './folder.ts';

const service = (fields: object) => ({ services: { web: { command: 'x', ...fields } } });

function loadService(fields: object, more: object = {}) {
  const root = folderWith({ '.devctl.json': { ...service(fields), ...more } });
  const { web } = loadManifest({ cwd: root, env: {} }).services;
  return { root, web: web ?? expect.fail('no service') };
}

test('the smallest manifest has every default', () => {
  const { root, web } = loadService({});
  expect(loadManifest({ cwd: root })).toEqual({
    file: join(root, '.devctl.json'),
    root,
    name: basename(root),
    env: {},
    envFindings: [],
    services: { web },
    definitions: { web: { command: '"x"' } },
    groups: {},
    sweep: { patterns: [], scope: 'project', protect: [] },
    protection: { patterns: [], byEnvironment: false },
    pidsDir: join(root, '.pids'),
    logsDir: join(root, '.pids', 'logs'),
    logRotation: null,
    containment: 'auto',
    containers: null,
    notify: null,
    limits: [
      { kind: 'processes', allowed: 100, action: 'warn', windowMs: 0 },
      { kind: 'memory', allowed: 8 * 1024 ** 3, action: 'warn', windowMs: 0 },
    ],
  });
  expect(web).toEqual({
    name: 'web',
    command: 'x',
    cwd: root,
    env: {},
    ports: [],
    udpPorts: [],
    dependsOn: {},
    ready: null,
    settleMs: 1_000,
    stop: { signal: 'SIGTERM', graceMs: 3_000, command: null },
    on: {},
    autostart: true,
    live: null,
    restart: {
      policy: 'no',
      maxRestarts: 10,
      windowMs: 600_000,
      backoffMs: 500,
      maxBackoffMs: 30_000,
      resetAfterMs: 60_000,
      successExitCodes: [0],
    },
    stdin: 'fifo',
    tty: false,
    color: 'auto',
    oneShot: false,
    limits: [],
    resources: { core: null, openFiles: null },
    definedAt: '.devctl.json:3',
  });
});

test('hooks: that of stopped is one of the settings of the stop, which its record has', () => {
  const { web } = loadService({ on: { failed: 'tell', stopped: ['say', 'bye'] } });
  expect(web).toMatchObject({ on: { failed: 'tell' }, stop: { stopped: ['say', 'bye'] } });
});

test('everything that is supported, at once', () => {
  const root = folderWith({
    'app/.keep': '',
    '.devctl.json': `{
      // a comment
      "$schema": "./schema.json", "name": "shop", "stopGrace": "1s",
      "services": {
        "db": { "command": ["postgres", "-D", ""], "autostart": false, "stdin": "null" },
        "api": {
          "command": "npm start", "cwd": "app", "ports": [3000, 3001, "8125/udp"],
          "env": { "PORT": 3000, "DEBUG": true, "HOME_OF": "$HOME" },
          "dependsOn": { "db": "started" },
          "ready": { "http": "https://localhost:3000/", "status": 204, "body": "ok", "timeout": "2m", "interval": 100 },
          "stop": { "signal": "SIGINT", "grace": 0, "command": "npm run bye" },
          "restart": {
            "policy": "on-failure", "maxRestarts": 3, "window": "1m", "backoff": "1s", "maxBackoff": "9s",
            "resetAfter": 50, "successExitCodes": [0, 143],
          },
          "oneShot": false,
        },
        "worker": { "command": "w", "dependsOn": ["db", "api"], "restart": "always" },
      },
      "groups": { "backend": ["api", "db"] },
      "sweep": { "patterns": ["vitest"], "scope": "user", "protect": ["vim"] },
      "logs": { "dir": "logs", "maxSize": "10MB" }, "pidsDir": "run/pids", "containment": "auto",
    }`,
  });
  const manifest = loadManifest({ cwd: join(root, 'app'), env: {} });
  expect(manifest).toMatchObject({
    name: 'shop',
    groups: { backend: ['api', 'db'] },
    sweep: { patterns: ['vitest'], scope: 'user', protect: ['vim'] },
    pidsDir: join(root, 'run', 'pids'),
    logsDir: join(root, 'logs'),
    logRotation: { maxSize: 10 * 1024 ** 2, keep: 5 },
  });
  expect(Object.keys(manifest.services)).toEqual(['db', 'api', 'worker']);
  expect(manifest.services.db).toMatchObject({
    command: ['postgres', '-D', ''],
    autostart: false,
    stdin: 'null',
    stop: { graceMs: 1_000 },
  });
  expect(manifest.services.api).toMatchObject({
    cwd: join(root, 'app'),
    ports: [3000, 3001],
    udpPorts: [8125],
    env: { PORT: '3000', DEBUG: 'true', HOME_OF: '$HOME' },
    dependsOn: { db: 'started' },
    ready: {
      check: { kind: 'http', url: 'https://localhost:3000/', status: [204], body: 'ok' },
      timeoutMs: 120_000,
      intervalMs: 100,
    },
    stop: { signal: 'SIGINT', graceMs: 0, command: 'npm run bye' },
    restart: {
      policy: 'on-failure',
      maxRestarts: 3,
      windowMs: 60_000,
      backoffMs: 1_000,
      maxBackoffMs: 9_000,
      resetAfterMs: 50,
      successExitCodes: [0, 143],
    },
  });
  expect(manifest.services.worker?.restart).toMatchObject({ policy: 'always', backoffMs: 500 });
  expect(loadService({ restart: { policy: 'always', backoff: '1m' } }).web.restart).toMatchObject({
    maxBackoffMs: 60_000,
  });
  expect(manifest.services.worker?.dependsOn).toEqual({ db: 'ready', api: 'ready' });
});

describe('limits', () => {
  const limit = (kind: string, allowed: number, action = 'warn', windowMs = 0) => ({
    kind,
    allowed,
    windowMs,
    action,
  });
  const GB = 1024 ** 3;

  test.each<[limits: object, expected: readonly object[]]>([
    [{ memory: '1GB' }, [limit('memory', GB)]],
    [
      { processes: 20, memory: '1GB', cpu: 2, runtime: '8h', idle: '10m', action: 'restart' },
      [
        limit('processes', 20, 'restart'),
        limit('memory', GB, 'restart'),
        limit('cpu', 200, 'restart', 30_000),
        limit('runtime', 28_800_000, 'restart'),
        limit('idle', 600_000, 'restart'),
      ],
    ],
    [{ cpu: '150%', cpuWindow: '5s' }, [limit('cpu', 150, 'warn', 5_000)]],
  ])('of a service: %j', (limits, expected) => {
    expect(loadService({ limits }).web.limits).toEqual(expected);
  });

  test('that the kernel enforces', () => {
    const { web } = loadService({ limits: { openFiles: 8192, core: 'unlimited' } });
    expect(web.resources).toEqual({ openFiles: 8192, core: 'unlimited' });
    expect(loadService({ limits: { core: 0 } }).web.resources).toEqual({
      openFiles: null,
      core: 0,
    });
  });

  test.each<[limits: unknown, expected: readonly object[]]>([
    [{}, [limit('processes', 100), limit('memory', 8 * GB)]],
    ['off', []],
    [{ processes: 'off' }, [limit('memory', 8 * GB)]],
    // A limit that the manifest does not name stays a warning.
    [
      { processes: 300, action: 'stop' },
      [limit('processes', 300, 'stop'), limit('memory', 8 * GB)],
    ],
    [{ memory: 'off', cpu: 3 }, [limit('cpu', 300, 'warn', 30_000), limit('processes', 100)]],
  ])('of the project: %j', (limits, expected) => {
    const root = folderWith({
      '.devctl.json': JSON.stringify({ services: { web: { command: 'x' } }, limits }),
    });
    expect(loadManifest({ cwd: root }).limits).toEqual(expected);
  });
});

const http = (url: string) => ({
  kind: 'http',
  url,
  status: [] as number[],
  body: null,
  method: 'GET',
  headers: {},
  socketPath: null,
  owner: 'service',
});
const tcp = (host: string, port: number) => ({
  kind: 'tcp',
  target: { kind: 'address', host, port },
  owner: 'service',
});

test.each<[ready: object, check: object, timeoutMs: number]>([
  [{ http: 'http://x' }, http('http://x'), 30_000],
  [
    {
      http: 'http://unix:/run/x.sock:/health',
      method: 'HEAD',
      headers: { Host: 'x' },
      owner: 'any',
    },
    {
      ...http('http://localhost/health'),
      method: 'HEAD',
      headers: { Host: 'x' },
      socketPath: '/run/x.sock',
      owner: 'any',
    },
    30_000,
  ],
  [
    { tcp: 'unix:/run/x.sock' },
    { kind: 'tcp', target: { kind: 'socket', path: '/run/x.sock' }, owner: 'service' },
    30_000,
  ],
  [{ ports: [80], timeout: '1m' }, { kind: 'ports', ports: [80] }, 60_000],
  [{ file: '/x' }, { kind: 'file', path: '/x' }, 30_000],
  [{ tcp: 80 }, tcp('localhost', 80), 30_000],
  [{ tcp: 'db.test:5432' }, tcp('db.test', 5432), 30_000],
  [{ tcp: '[::1]:80' }, tcp('::1', 80), 30_000],
  [{ log: '^ready' }, { kind: 'log', pattern: '^ready' }, 30_000],
  [{ exec: ['test', '-f', 'x'] }, { kind: 'exec', command: ['test', '-f', 'x'] }, 30_000],
  [{ delay: '2s', timeout: '3s' }, { kind: 'delay', delayMs: 2_000 }, 3_000],
  // The default timeout never makes a delay impossible.
  [{ delay: '1m' }, { kind: 'delay', delayMs: 60_000 }, 60_250],
])('the probe %j', (ready, check, timeoutMs) => {
  const expected = { check, timeoutMs, intervalMs: 250, attemptTimeoutMs: null, recheckMs: null };
  expect(loadService({ ready }).web.ready).toEqual(expected);
});

test.each<[live: object, resolved: object]>([
  [
    { http: 'http://x', status: 204, timeout: '1s', interval: '2s', failures: 1 },
    {
      check: { ...http('http://x'), status: [204] },
      timeoutMs: 1_000,
      intervalMs: 2_000,
      failures: 1,
    },
  ],
  [
    { log: 'beat' },
    {
      check: { kind: 'log', pattern: 'beat' },
      timeoutMs: 5_000,
      intervalMs: 10_000,
      failures: 3,
    },
  ],
  [{ exec: 'x' }, { timeoutMs: 30_000 }],
])('the liveness probe %j', (live, resolved) => {
  expect(loadService({ live }).web.live).toMatchObject(resolved);
});

test('nothing in a manifest can be changed, and no key reaches a prototype', () => {
  const root = folderWith({
    '.devctl.json':
      '{"services": {"constructor": {"command": "x", "env": {"__proto__": "a", "toString": "b"}}}}',
  });
  const { services } = loadManifest({ cwd: root });
  const [service] = Object.values(services);
  expect(Object.isFrozen(service?.stop)).toBe(true);
  expect(service?.name).toBe('constructor');
  expect('toString' in services).toBe(false);
  expect(Object.entries(service?.env ?? {})).toEqual([
    ['__proto__', 'a'],
    ['toString', 'b'],
  ]);
});

describe('the environment', () => {
  test('project envFile, project env, service envFile, service env: the later wins', () => {
    const root = folderWith({
      'all.env': 'A=1\nB=1\nC=1\nD=1\n',
      'web.env': 'C=3\nD=3\n',
      'more.env': 'D=4\n',
      '.devctl.json': {
        envFile: 'all.env',
        env: { B: '2', C: '2', D: '2' },
        services: {
          web: { command: 'x', envFile: ['web.env', 'more.env'], env: { E: '5' } },
          api: { command: 'x' },
        },
      },
    });
    const { services } = loadManifest({ cwd: root, env: {} });
    expect(services.web?.env).toEqual({ A: '1', B: '2', C: '3', D: '4', E: '5' });
    expect(services.api?.env).toEqual({ A: '1', B: '2', C: '2', D: '2' });
  });

  test.each<[name: string, text: string, variables: Record<string, string>]>([
    [
      'comments, export and quotes',
      '# x\nexport A=1 # y\nB="2 3"\nC=\n',
      { A: '1', B: '2 3', C: '' },
    ],
    ['earlier variables of the file', `A=1\nB=$A-\${A}\n`, { A: '1', B: '1-1' }],
    ['not later variables', 'B=$A\nA=1\n', { A: '1', B: '' }],
    ['names in any order', 'Z=1\nM=$Z\nA=$M\n', { Z: '1', M: '1', A: '1' }],
    ['the caller', 'A=$FROM_CALLER/x\n', { A: 'caller/x' }],
    [
      'the file before the caller',
      'FROM_CALLER=file\nA=$FROM_CALLER\n',
      { FROM_CALLER: 'file', A: 'file' },
    ],
    ['the project before the caller', 'A=$FROM_PROJECT\n', { A: 'project' }],
    ['a default', `A=\${NOBODY:-x y}\nB=\${FROM_CALLER:-x}\n`, { A: 'x y', B: 'caller' }],
    ['a plain dollar', 'A="\\$FROM_CALLER"\nB=1$\nC=$1\n', { A: '$FROM_CALLER', B: '1$', C: '$1' }],
    ['single quotes', 'A=\'$FROM_CALLER\'\nB="$FROM_CALLER"\n', { A: '$FROM_CALLER', B: 'caller' }],
    ['~ as it is', 'A=~/x\n', { A: '~/x' }],
    ['a byte order mark', '\uFEFFA=1\n', { A: '1' }],
    ['no prototype', 'A=$constructor$toString\n', { A: '' }],
  ])('an env file: %s', (_name, text, variables) => {
    const root = folderWith({
      '.env': text,
      '.devctl.json': { ...service({ envFile: '.env' }), env: { FROM_PROJECT: 'project' } },
    });
    const caller = { FROM_CALLER: 'caller', FROM_PROJECT: 'caller' };
    const env = loadManifest({ cwd: root, env: caller }).services.web?.env;
    expect(env).toEqual({ FROM_PROJECT: 'project', ...variables });
  });
});

describe('the place of a manifest', () => {
  test('the root is the real path, by whichever path the manifest is reached', () => {
    const root = folderWith({ 'real/.devctl.json': service({}), 'real/sub/file': '' });
    symlinkSync('real', join(root, 'link'));
    for (const query of [
      { cwd: join(root, 'link', 'sub') },
      { cwd: root, config: 'link/.devctl.json' },
      { cwd: '/', config: join(root, 'real', '.devctl.json') },
    ]) {
      const manifest = loadManifest(query);
      expect(manifest.root).toBe(join(root, 'real'));
      expect(manifest.file).toBe(join(root, 'real', '.devctl.json'));
    }
  });

  test('--config may have any name, and the local file beside it is merged over it', () => {
    const root = folderWith({
      '.devctl.json': service({ ports: [1] }),
      'ci.json': service({ ports: [2], env: { A: '1', B: '1' } }),
      '.devctl.local.json': { services: { web: { env: { B: '2' } }, extra: { command: 'y' } } },
    });
    const { services } = loadManifest({ cwd: root, config: 'ci.json' });
    expect(services.web).toMatchObject({ ports: [2], env: { A: '1', B: '2' } });
    expect(services.web?.definedAt).toBe('ci.json:3');
    expect(services.extra?.definedAt).toBe('.devctl.local.json:8');
  });

  test('the nearest one counts', () => {
    const root = folderWith({ '.devctl.json': service({}), 'a/.devctl.json': service({}) });
    mkdirSync(join(root, 'a', 'b'));
    expect(loadManifest({ cwd: join(root, 'a', 'b') }).root).toBe(join(root, 'a'));
  });
});

test('every key of the manifest and of the local file is in the result, the local value first', () => {
  const cwd = folderWith({});
  const name = fc.oneof(
    fc.constantFrom('constructor', 'toString', 'valueOf', 'a', 'b'),
    fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,10}$/),
  );
  const variable = fc.oneof(
    fc.constantFrom('__proto__', 'constructor', 'A'),
    fc.stringMatching(/^[^=\0]+$/),
  );
  const allowed = variable.filter((key) => !/^(TURBO_)?DEVCTL_(PROJECT|SERVICE|RUN)$/.test(key));
  const env = fc.dictionary(allowed, fc.stringMatching(/^[^\0]*$/), { noNullPrototype: false });
  const services = fc.dictionary(name, fc.record({ command: fc.constant('x'), env }), {
    minKeys: 1,
    noNullPrototype: false,
  });
  fc.assert(
    fc.property(services, services, (base, local) => {
      write(join(cwd, '.devctl.json'), { services: base });
      write(join(cwd, '.devctl.local.json'), { services: local });
      const { services: resolved } = loadManifest({ cwd, env: {} });
      const names = new Set([...Object.keys(base), ...Object.keys(local)]);
      expect(new Set(Object.keys(resolved))).toEqual(names);
      for (const key of names) {
        const of = (from: typeof base) => (Object.hasOwn(from, key) ? from[key]?.env : {}) ?? {};
        const merged = new Map([...Object.entries(of(base)), ...Object.entries(of(local))]);
        expect(new Map(Object.entries(resolved[key]?.env ?? {}))).toEqual(merged);
      }
    }),
    { numRuns: 100 },
  );
});
