import { mkdirSync, rmdirSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DevctlError } from '../../src/errors.ts';
import { loadManifest } from '../../src/manifest/load.ts';
import { errorOf, folderWith, write } from './folder.ts';

/** Returns the lines of the error, without the name of the file. */
function problemsOf(manifest: unknown, files: Readonly<Record<string, unknown>> = {}): string[] {
  const cwd = folderWith({ '.devctl.json': manifest, ...files });
  const error = errorOf(() => loadManifest({ cwd }));
  expect(error).toMatchObject({ code: 'manifest-invalid', exitCode: 2 });
  return error.message.split('\n').map((line) => line.replace(/^\.devctl\.json:/, ''));
}

/** Returns the problems of one service, named web, without their places. */
function problemsOfService(service: object, more: object = {}): string[] {
  const manifest = { services: { web: { command: 'x', ...service } }, ...more };
  return problemsOf(JSON.stringify(manifest)).map((line) =>
    line.replace(/^\d+:\d+ {2}/, '').replace(/^services\.web\./, ''),
  );
}

const COMMANDS = '"npm run dev" or ["node", "server.js"]';
const DURATIONS =
  'expected a time such as "500ms", "3s", "2m" or "1h", or a number of milliseconds';

describe('the shape of a manifest', () => {
  test.each<[manifest: string, line: string]>([
    ['[]', '1:1  expected an object such as {"services": {…}}, got a list'],
    ['null', '1:1  expected an object such as {"services": {…}}, got null'],
    ['"x"', '1:1  expected an object such as {"services": {…}}, got "x"'],
    [
      '{}',
      '1:1  services: is missing: name what to run, such as {"web": {"command": "npm run dev"}}',
    ],
    [
      '{"services": {}}',
      '1:14  services: is empty: name what to run, such as {"web": {"command": "npm run dev"}}',
    ],
    [
      '{"services": ["npm run dev"]}',
      '1:14  services: expected an object of services such as {"web": {"command": "npm run dev"}}, got a list',
    ],
    [
      '{"services": {"web": "x"}}',
      '1:22  services.web: expected an object such as {"command": "npm run dev"}, got "x"',
    ],
    [
      '# mine\n---\nservices:\n  web:\n    command: npm run dev\n',
      '1:1  is YAML, and devctl reads JSON, with comments: {"services": {"web": {"command": "npm run dev"}}}',
    ],
    [
      '{"services": {"web": {}}}',
      `1:15  services.web.command: is missing: give a command such as ${COMMANDS}`,
    ],
    [
      '{"services": {"a/b": {"command": "x"}}}',
      '1:15  services["a/b"]: "a/b" cannot be a name: use 1 to 63 letters, digits, ".", "_" or "-", the first a letter or digit',
    ],
    [
      '{"services": {"__proto__": {"command": "x"}, "a": {"command": "x"}}}',
      '1:15  services.__proto__: "__proto__" cannot be a name: use 1 to 63 letters, digits, ".", "_" or "-", the first a letter or digit',
    ],
    [
      '{"services": {"a": {"command": "x"}}, "servces": {}}',
      '1:39  servces: unknown key. Did you mean "services"?',
    ],
    [
      '{"services": {"a": {"command": "x"}}, "__proto__": {}}',
      '1:39  __proto__: unknown key; known are $schema, name, services, groups, env, envFile, color, settle, stopGrace, logs, limits, notify, sweep, protect, protectByEnvironment, containers, pidsDir, containment',
    ],
  ])('%s', (manifest, line) => {
    expect(problemsOf(manifest)).toEqual([line]);
  });

  test.each<[name: string, service: object, lines: string[]]>([
    ['empty command', { command: '' }, [`command: is empty: give a command such as ${COMMANDS}`]],
    [
      'blank command',
      { command: ' \t' },
      [`command: is empty: give a command such as ${COMMANDS}`],
    ],
    ['empty list', { command: [] }, [`command: is empty: give a command such as ${COMMANDS}`]],
    ['empty program', { command: [''] }, [`command: is empty: give a command such as ${COMMANDS}`]],
    ['NUL in a command', { command: 'a\0b' }, ['command: must not hold a NUL character']],
    ['a number', { command: 5 }, [`command: expected a command such as ${COMMANDS}, got 5`]],
    ['a number in a list', { command: ['x', 5] }, ['command[1]: expected text, got 5']],
    ['unknown key', { retsart: 'no' }, ['retsart: unknown key. Did you mean "restart"?']],
    [
      'unknown key inside',
      { stop: { gracee: 1 } },
      ['stop.gracee: unknown key. Did you mean "grace"?'],
    ],
    [
      'unknown key in a union',
      { restart: { policy: 'no', windw: 1 } },
      ['restart.windw: unknown key. Did you mean "window"?'],
    ],
    ['negative grace', { stop: { grace: -1 } }, ['stop.grace: must not be negative, got -1']],
    [
      'negative grace as text',
      { stop: { grace: '-3s' } },
      ['stop.grace: must not be negative, got "-3s"'],
    ],
    ['bad duration', { stop: { grace: '3 sec' } }, [`stop.grace: ${DURATIONS}, got "3 sec"`]],
    ['no duration', { stop: { grace: null } }, [`stop.grace: ${DURATIONS}, got null`]],
    ['too long', { stop: { grace: '1000h' } }, ['stop.grace: must be at most 576h, got "1000h"']],
    [
      'bad signal',
      { stop: { signal: 'TERM' } },
      [
        'stop.signal: expected "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGABRT" or "SIGWINCH", got "TERM". Did you mean "SIGTERM"?',
      ],
    ],
    ['port 0', { ports: [0] }, ['ports[0]: expected a port from 1 to 65535, got 0']],
    ['port 65536', { ports: [65_536] }, ['ports[0]: expected a port from 1 to 65535, got 65536']],
    ['half a port', { ports: [80.5] }, ['ports[0]: expected a port from 1 to 65535, got 80.5']],
    [
      'port as text',
      { ports: ['80'] },
      ['ports[0]: expected a port from 1 to 65535, got "80": write 80'],
    ],
    [
      'ports as compose has them',
      { ports: ['5173:5173', '127.0.0.1:80:8080'] },
      [
        'ports[0]: expected a port from 1 to 65535, got "5173:5173": write 5173',
        'ports[1]: expected a port from 1 to 65535, got "127.0.0.1:80:8080": write 8080',
      ],
    ],
    [
      'a command line as a list',
      { command: ['npm run dev'] },
      [
        'command: a list has each argument as a text of its own: ["npm", "run", "dev"], or "npm run dev" without the list',
      ],
    ],
    ['the key of others for command', { cmd: 'x' }, ['cmd: unknown key. Did you mean "command"?']],
    [
      'the key of others for ready',
      { healthcheck: {} },
      [
        'healthcheck: unknown key; an example of what is meant: "ready": {"http": "http://localhost:3000"}',
      ],
    ],
    [
      'a policy of docker',
      { restart: 'unless-stopped' },
      ['restart: "unless-stopped" is "always" here: devctl starts nothing again that was stopped'],
    ],
    [
      'one port',
      { ports: 80 },
      [
        'ports: expected a list of ports such as [3000, "8125/udp"], or names for them such as {"web": 3000}, got 80',
      ],
    ],
    ['port twice', { ports: [80, 80] }, ['ports[1]: port 80 is given twice']],
    [
      'a port of readiness that is not its own',
      { ports: { web: 80 }, ready: { ports: [80, 81] } },
      ['ready.ports[1]: port 81 is not in its "ports": add it there'],
    ],
    ['port twice by name', { ports: { a: 80, b: 80 } }, ['ports.b: port 80 is given twice']],
    [
      'UDP port twice, and once of TCP',
      { ports: [53, '53/udp', '53/udp'] },
      ['ports[2]: port 53/udp is given twice'],
    ],
    [
      'ports of another form',
      { ports: { a: 'auto', b: { base: 3000 }, c: '65536/udp', d: '53:53/UDP' } },
      [
        'ports.a: expected a port from 1 to 65535, or "8125/udp", got "auto"',
        'ports.b: expected a port from 1 to 65535, or "8125/udp", got an object',
        'ports.c: expected a port from 1 to 65535, or "8125/udp", got "65536/udp"',
        'ports.d: expected a port from 1 to 65535, got "53:53/UDP": write "53/udp"',
      ],
    ],
    [
      'readiness by UDP',
      { ready: { ports: ['53/udp'] } },
      [
        'ready.ports[0]: expected a port from 1 to 65535, got "53/udp": nobody can tell when a UDP port is ready',
      ],
    ],
    ['autostart', { autostart: 'yes' }, ['autostart: expected true or false, got "yes"']],
    ['stdin', { stdin: 'pipe' }, ['stdin: expected "fifo" or "null", got "pipe"']],
    [
      'dependsOn',
      { dependsOn: 'db' },
      ['dependsOn: expected a list of services, or an object such as {"db": "ready"}, got "db"'],
    ],
    [
      'restart',
      { restart: 'sometimes' },
      [
        'restart: expected "no", "on-failure", "always" or an object with a policy, got "sometimes"',
      ],
    ],
    [
      'oneShot',
      { oneShot: true, ready: { delay: 1 }, live: { tcp: 80 }, restart: { policy: 'always' } },
      [
        'ready: does not go with oneShot: a task is done, not up',
        'live: does not go with oneShot: a task is done, not up',
        'restart: would do the task of a oneShot for ever; "on-failure" tries it again',
      ],
    ],
    [
      'live without a kind',
      { live: { failures: 1 } },
      ['live: says not how to find out: give one of http, tcp, log, exec'],
    ],
    [
      'live with a delay',
      { live: { delay: '1s', failures: 0 } },
      [
        'live.delay: unknown key; known are http, tcp, log, exec, status, body, method, headers, owner, timeout, interval, failures',
        'live.failures: must be at least 1, got 0',
      ],
    ],
    [
      'restart pauses',
      { restart: { policy: 'always', backoff: '1m', maxBackoff: '1s' } },
      ['restart.maxBackoff: is shorter than backoff, the first pause'],
    ],
    [
      'env name',
      { env: { 'A=B': 'x' } },
      ['env["A=…"]: "A=…" cannot be the name of a variable: it is empty or holds "="'],
    ],
    [
      'env value',
      { env: { A: null } },
      ['env.A: expected text, a number, true or false, got null'],
    ],
    [
      'env cookie',
      { env: { DEVCTL_RUN: 'x' } },
      ['env.DEVCTL_RUN: is set by devctl itself, and cannot be set here'],
    ],
    ['no cwd', { cwd: 'app' }, ['cwd: "app" does not exist (relative to the manifest)']],
    [
      'cwd with ~',
      { cwd: '~/app' },
      [
        `cwd: "~/app" does not exist (relative to the manifest; "~" is not replaced: write "${homedir()}/app")`,
      ],
    ],
    [
      'cwd with a variable',
      { cwd: '$HOME/app' },
      [
        `cwd: "$HOME/app" does not exist (relative to the manifest; "$HOME" is not replaced: write "${homedir()}/app")`,
      ],
    ],
    [
      'cwd with another variable',
      { cwd: 'x/$NAME' },
      ['cwd: "x/$NAME" does not exist (relative to the manifest; "$NAME" is not replaced)'],
    ],
    [
      'cwd a file',
      { cwd: '.devctl.json' },
      ['cwd: ".devctl.json" is a file, not a folder (relative to the manifest)'],
    ],
    ['empty cwd', { cwd: '' }, ['cwd: must not be empty']],
    [
      'envFile',
      { envFile: ['.env'] },
      ['envFile[0]: ".env" does not exist (relative to the manifest)'],
    ],
    [
      'envFile a folder',
      { envFile: '.' },
      ['envFile: "." is a folder, not a file (relative to the manifest)'],
    ],
  ])('a service: %s', (_name, service, lines) => {
    expect(problemsOfService(service)).toEqual(lines);
  });

  test.each<[name: string, ready: unknown, lines: string[]]>([
    [
      'nothing',
      {},
      ['ready: says not how to find out: give one of ports, http, tcp, log, exec, file, delay'],
    ],
    ['two', { tcp: 80, delay: 1 }, ['ready: asks for tcp and delay: give only one of them']],
    ['only a typo', { htpp: 'x' }, ['ready.htpp: unknown key. Did you mean "http"?']],
    [
      'no object',
      'http://x',
      [
        'ready: expected "spawned", or an object such as {"http": "http://localhost:3000/health"}, got "http://x"',
      ],
    ],
    [
      'ftp',
      { http: 'ftp://x' },
      ['ready.http: expected a URL such as "http://localhost:3000/health", got "ftp://x"'],
    ],
    [
      'a port for http',
      { http: 26_031 },
      ['ready.http: expected a URL such as "http://localhost:26031/health", got 26031'],
    ],
    [
      'no URL',
      { http: 'http://[' },
      ['ready.http: expected a URL such as "http://localhost:3000/health", got "http://["'],
    ],
    ['regex', { log: '(' }, ['ready.log: "(" is not a regular expression: Unterminated group']],
    [
      'regex for ever',
      { log: '(a+)+\\1' },
      [
        'ready.log: "(a+)+\\\\1" may take for ever, because \\1 stands beside repetitions: write out what \\1 means, or take the repetitions out',
      ],
    ],
    [
      'tcp',
      { tcp: 'localhost' },
      ['ready.tcp: expected a port such as 3000, "HOST:PORT" or "unix:/path", got "localhost"'],
    ],
    ['tcp port', { tcp: 0 }, ['ready.tcp: expected a port from 1 to 65535, got 0']],
    ['status of tcp', { tcp: 80, status: 200 }, ['ready.status: goes with http only']],
    ['status', { http: 'http://x', status: 99 }, ['ready.status: must be at least 100, got 99']],
    ['interval', { tcp: 80, interval: 0 }, ['ready.interval: must be at least 10ms']],
    [
      'delay',
      { delay: '3s', timeout: '2s' },
      ['ready.delay: is not shorter than timeout: the service could never become ready'],
    ],
  ])('a probe: %s', (_name, ready, lines) => {
    expect(problemsOfService({ ready })).toEqual(lines);
  });

  test.each<[name: string, more: object, lines: string[]]>([
    ['stopGrace', { stopGrace: -5 }, ['stopGrace: must not be negative, got -5']],
    [
      'sweep',
      { sweep: { patterns: ['('] } },
      ['sweep.patterns[0]: "(" is not a regular expression: Unterminated group'],
    ],
    [
      'sweep of all',
      { sweep: { patterns: ['.*'] } },
      ['sweep.patterns[0]: matches every command line: name what to look for'],
    ],
    [
      'a log of nothing',
      { logs: { maxSize: '4KB', keep: 2 } },
      ['logs.maxSize: must be at least "8KB", got "4KB"'],
    ],
    [
      'keeping without a size',
      { logs: { keep: 2 } },
      ['logs.keep: without maxSize no log is rotated, and there is nothing to keep'],
    ],
    [
      'sweep of nothing',
      { sweep: { patterns: [''] } },
      ['sweep.patterns[0]: must not be empty: it would match everything'],
    ],
    [
      'protect',
      { sweep: { protect: ['a{2,1}'] } },
      [
        'sweep.protect[0]: "a{2,1}" is not a regular expression: numbers out of order in {} quantifier',
      ],
    ],
    [
      'scope',
      { sweep: { scope: 'projct' } },
      ['sweep.scope: expected "project", "user" or "off", got "projct". Did you mean "project"?'],
    ],
    [
      'size',
      { logs: { maxSize: '5 megs' } },
      [
        'logs.maxSize: expected a size such as "512MB" or "2GB", or a number of bytes, got "5 megs"',
      ],
    ],
    ['empty group', { groups: { g: [] } }, ['groups.g: is empty: name its services']],
    [
      'pidsDir',
      { pidsDir: './' },
      ['pidsDir: "./" holds the project itself: name a folder that is devctl\'s own'],
    ],
    [
      'pidsDir above',
      { pidsDir: '..' },
      ['pidsDir: ".." holds the project itself: name a folder that is devctl\'s own'],
    ],
  ])('the project: %s', (_name, more, lines) => {
    expect(problemsOfService({}, more)).toEqual(lines);
  });
});

describe('the semantics of a manifest', () => {
  const services = (dependencies: Record<string, unknown>) => ({
    services: Object.fromEntries(
      Object.entries(dependencies).map(([name, dependsOn]) => [name, { command: 'x', dependsOn }]),
    ),
  });

  test.each<[name: string, dependencies: Record<string, unknown>, lines: string[]]>([
    ['itself', { a: ['a'] }, ['6:9  services.a.dependsOn[0]: goes in a circle: a → a']],
    [
      'two',
      { a: ['b'], b: { a: 'ready' } },
      ['12:9  services.b.dependsOn.a: goes in a circle: a → b → a'],
    ],
    [
      'a cycle behind a chain, and another cycle',
      { tail: ['b'], b: ['c'], c: ['d'], d: ['b'], x: ['y'], y: ['x'] },
      [
        '24:9  services.d.dependsOn[0]: goes in a circle: b → c → d → b',
        '36:9  services.y.dependsOn[0]: goes in a circle: x → y → x',
      ],
    ],
    [
      'unknown',
      { web: [], api: ['wbe', 'nothing-like-it'], db: { constructor: 'ready' } },
      [
        '10:9  services.api.dependsOn[0]: no service is called "wbe". Did you mean "web"?',
        '11:9  services.api.dependsOn[1]: no service is called "nothing-like-it"',
        '17:9  services.db.dependsOn.constructor: no service is called "constructor"',
      ],
    ],
    ['twice', { a: [], b: ['a', 'a'] }, ['11:9  services.b.dependsOn[1]: "a" is given twice']],
  ])('dependencies: %s', (_name, dependencies, lines) => {
    expect(problemsOf(services(dependencies))).toEqual(lines);
  });

  test('a port of two services is reported with both services', () => {
    const manifest =
      '{"services": {\n"a": {"command": "x", "ports": [1, 80]},\n"b": {"command": "x", "ports": [80]}}}';
    expect(problemsOf(manifest)).toEqual([
      '3:33  services.b.ports[0]: port 80 is also a port of "a" (.devctl.json:2)',
    ]);
  });

  test('groups name services, and have names of their own', () => {
    const manifest = {
      services: { web: { command: 'x' }, Web: { command: 'x', dependsOn: ['g'] } },
      groups: { web: ['wbe', 'g'], g: ['web', 'web'] },
    };
    expect(problemsOf(JSON.stringify(manifest))).toEqual([
      '1:36  services.Web: differs from "web" in case only',
      '1:70  services.Web.dependsOn[0]: "g" is a group: name services',
      '1:87  groups.web: is also the name of a service: a name means one thing',
      '1:94  groups.web[0]: no service is called "wbe". Did you mean "web"?',
      '1:100  groups.web[1]: "g" is a group: name services',
      '1:116  groups.g[1]: "web" is given twice',
    ]);
  });

  test('problems of shape and of semantics are reported together, in the order of the file', () => {
    const manifest = {
      services: {
        a: { comand: 'x', dependsOn: ['c'] },
        b: { command: 'x', cwd: 'gone', ports: [0] },
      },
    };
    expect(problemsOf(manifest)).toEqual([
      '3:5  services.a.command: is missing: give a command such as "npm run dev" or ["node", "server.js"]',
      '4:7  services.a.comand: unknown key. Did you mean "command"?',
      '6:9  services.a.dependsOn[0]: no service is called "c". Did you mean "a"?',
      '11:14  services.b.cwd: "gone" does not exist (relative to the manifest)',
      '13:9  services.b.ports[0]: expected a port from 1 to 65535, got 0',
    ]);
  });
});

test('a dependency on an end that never comes is refused', () => {
  const cwd = folderWith({
    '.devctl.json': JSON.stringify({
      services: {
        db: { command: 'x', restart: 'always' },
        web: { command: 'x', dependsOn: { db: 'exited' } },
      },
    }),
  });
  expect(errorOf(() => loadManifest({ cwd })).message).toMatch(
    /services\.web\.dependsOn\.db: "exited" never comes: "db" is always started again$/,
  );
});

describe('limits', () => {
  const mistake = (service: object, project: unknown = {}) => {
    const services = { web: { command: 'x', limits: service } };
    const cwd = folderWith({ '.devctl.json': JSON.stringify({ services, limits: project }) });
    return errorOf(() => loadManifest({ cwd })).message.replace(/^\.devctl\.json:1:\d+ {2}/, '');
  };

  test.each<[service: object, line: string]>([
    [{ processes: 0 }, 'services.web.limits.processes: must be at least 1, got 0'],
    [{ memory: '1 GB' }, 'services.web.limits.memory: expected a size such as "512MB"'],
    [{ memory: 0 }, 'services.web.limits.memory: must be more than 0'],
    [
      { cpu: '2 cores' },
      'services.web.limits.cpu: expected a number of cores such as 1.5, or a share such as "150%", got "2 cores"',
    ],
    [{ cpu: '0%' }, 'services.web.limits.cpu: must be more than 0, got "0%"'],
    [{ cpu: 1, cpuWindow: '1ms' }, 'services.web.limits.cpuWindow: must be at least 1s'],
    [
      { processes: 1, cpuWindow: '5s' },
      'services.web.limits.cpuWindow: says nothing without a limit',
    ],
    [{ idle: '1ms' }, 'services.web.limits.idle: must be at least 100ms'],
    [{ core: 'none' }, 'services.web.limits.core: expected a size such as "512MB"'],
    [
      { openFiles: 64, action: 'stop' },
      'services.web.limits.action: says nothing without a limit: give processes, memory, cpu, runtime or idle',
    ],
    [{ procesess: 3 }, 'services.web.limits.procesess: unknown key'],
  ])('of a service: %j', (limits, line) => {
    expect(mistake(limits)).toContain(line);
  });

  test.each<[project: unknown, line: string]>([
    [
      { processes: 9, action: 'restart' },
      'limits.action: a project cannot be restarted: give "warn" or "stop" here, and "restart" with the limits of a service',
    ],
    [
      { action: 'stop' },
      'limits.action: says nothing without a limit: give processes, memory or cpu',
    ],
    [{ processes: 'off', action: 'stop' }, 'limits.action: says nothing without a limit'],
    [{ processes: 'none' }, 'limits.processes: expected a limit, or "off", got "none"'],
    ['none', 'limits: expected an object of limits, or "off", got "none"'],
    [{ runtime: '8h' }, 'limits.runtime: unknown key'],
  ])('of the project: %j', (limits, line) => {
    expect(mistake({}, limits)).toContain(line);
  });
});

describe('containers', () => {
  const mistakeOf = (containers: object, web: object = {}) => {
    const services = { db: { command: 'x' }, web: { command: 'x', ...web } };
    const cwd = folderWith({ '.devctl.json': JSON.stringify({ services, containers }) });
    return errorOf(() => loadManifest({ cwd })).message.replace(/^\.devctl\.json:1:\d+ {2}/, '');
  };

  test.each<[containers: object, line: string]>([
    [{ command: 'podman-compose' }, 'containers.command: names podman'],
    [{ command: ['/usr/bin/podman', 'compose'] }, 'containers.command: names podman'],
    [{ services: ['db'] }, 'containers.services[0]: "db" is also the name of a service'],
    [{ project: 'My Shop' }, 'containers.project: use lower case letters'],
    [{ adopt: 'always' }, 'containers.adopt: '],
    [{ timeout: -1 }, 'containers.timeout: must not be negative'],
  ])('%j', (containers, line) => {
    expect(mistakeOf(containers)).toContain(line);
  });

  test('a dependency on a compose service is no mistake of the manifest, and none of a service', () => {
    const services = { web: { command: 'x', dependsOn: { cache: 'ready', db: 'started' } } };
    const cwd = folderWith({
      '.devctl.json': JSON.stringify({
        services: { ...services, db: { command: 'x' } },
        containers: { file: ['a.yml', 'b.yml'], timeout: '1m', command: 'docker-compose -v' },
      }),
    });
    const manifest = loadManifest({ cwd });
    expect(manifest.services.web?.dependsOn).toEqual({ db: 'started' });
    expect(manifest.containers).toMatchObject({
      files: [join(cwd, 'a.yml'), join(cwd, 'b.yml')],
      needs: { web: { cache: 'ready' }, db: {} },
      timeoutMs: 60_000,
      required: true,
      adopt: 'refuse',
      command: ['docker-compose', '-v'],
    });
  });
});

describe('a manifest that is no regular file', () => {
  test('a folder, a broken link', () => {
    const cwd = folderWith({});
    mkdirSync(join(cwd, '.devctl.json'));
    expect(errorOf(() => loadManifest({ cwd })).message).toBe(
      '.devctl.json:1:1  is a folder, not a file',
    );
    symlinkSync('nowhere', join(cwd, 'link.json'));
    expect(errorOf(() => loadManifest({ cwd, config: 'link.json' })).message).toBe(
      `link.json: a link that leads nowhere (${join(cwd, 'link.json')})`,
    );
    rmdirSync(join(cwd, '.devctl.json'));
    symlinkSync('nowhere', join(cwd, '.devctl.json'));
    expect(errorOf(() => loadManifest({ cwd })).message).toBe(
      '.devctl.json:1:1  is a symbolic link to a file that does not exist',
    );
  });

  test('the path of the file is relative to the current folder', () => {
    const root = folderWith({ '.devctl.json': '{}', 'a/b/file': '' });
    const error = errorOf(() => loadManifest({ cwd: join(root, 'a', 'b') }));
    expect(error.message).toMatch(/^\.\.\/\.\.\/\.devctl\.json:1:1 {2}services: is missing/);
  });

  test('problems of the local file name that file, after those of the manifest', () => {
    const cwd = folderWith({
      '.devctl.json': '{"services": {"web": {"command": "x", "prts": []}}}',
      '.devctl.local.json': '{"services": {"web": {"ports": [0]}}}',
    });
    expect(errorOf(() => loadManifest({ cwd })).message.split('\n')).toEqual([
      '.devctl.json:1:39  services.web.prts: unknown key. Did you mean "ports"?',
      '.devctl.local.json:1:33  services.web.ports[0]: expected a port from 1 to 65535, got 0',
    ]);
    write(join(cwd, '.devctl.local.json'), '');
    expect(errorOf(() => loadManifest({ cwd })).message).toMatch(
      /^\.devctl\.local\.json:1:1 {2}is empty/,
    );
  });
});

test('10,000 services are one problem, and a long list of problems is cut', () => {
  const many = (count: number, service: object) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, service]));
  expect(problemsOf({ services: many(10_000, { command: 'x' }) })).toEqual([
    '2:3  services: names 10000 services; devctl supervises at most 1000',
  ]);
  const lines = problemsOf({ services: many(1_000, { command: 'x', prts: [] }) });
  expect(lines).toHaveLength(101);
  expect(lines.at(-1)).toBe('… and 900 more');
});

test('loading any file gives a manifest or a DevctlError', () => {
  const cwd = folderWith({});
  const keys = [
    'services',
    'web',
    'command',
    'env',
    'dependsOn',
    'ports',
    'ready',
    'stop',
    'groups',
  ];
  const key = fc.oneof(fc.constantFrom(...keys, '__proto__', 'constructor'), fc.string());
  const { json } = fc.letrec<{ json: unknown; object: Record<string, unknown> }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 5 },
      fc.jsonValue({ maxDepth: 1 }),
      tie('object'),
      fc.array(tie('json')),
    ),
    object: fc.dictionary(key, tie('json'), { noNullPrototype: false }),
  }));
  const text = fc.oneof(
    json.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(text, (content) => {
      write(join(cwd, '.devctl.json'), content);
      try {
        loadManifest({ cwd });
      } catch (error) {
        expect(error).toBeInstanceOf(DevctlError);
      }
    }),
    { numRuns: 300 },
  );
});
