import { describe, expect, test } from 'vitest';
import {
  type ComposeModel,
  defaultServices,
  interpolateWith,
  joinComposeFiles,
  withNeeded,
} from '../../src/containers/compose-file.ts';
import type { EngineContainer } from '../../src/containers/inspect.ts';
import { type ContainerMarks, filtersOf, isOurs, labelsOf } from '../../src/containers/labels.ts';
import { overrideText } from '../../src/containers/override.ts';
import {
  findCollisions,
  planContainers,
  sortByOwner,
  unknownInWords,
} from '../../src/containers/plan.ts';
import {
  chooseProjectName,
  normaliseName,
  withOwnPart,
} from '../../src/containers/project-name.ts';
import { judgeContainers, strangerInWords } from '../../src/containers/readiness.ts';
import { isSomethingLeft } from '../../src/containers/report.ts';
import type { DependencyCondition } from '../../src/manifest/resolved.ts';
import { readYaml } from '../../src/yaml.ts';

const SHOP = `
version: "3.8"
services:
  db:
    image: postgres
    container_name: shop-db
    ports: ["127.0.0.1:5432:5432", "\${WEB:-8080}:80", "9000-9001:90-91/udp", "80"]
    stop_grace_period: 1m30s
  cache: {image: redis, depends_on: [db], networks: [back], profiles: [full]}
  job:
    image: job
    depends_on: {cache: {condition: service_started}}
    network_mode: host
networks:
  back:
  outside: {external: true}
volumes: {data: {}, old: {external: {name: x}}}
`;

function model(...files: readonly string[]): ComposeModel {
  const values = files.map((text) => {
    const reading = readYaml(text);
    if (reading.kind === 'unread') throw new Error(`${reading.line}: ${reading.why}`);
    return reading.value;
  });
  const joined = joinComposeFiles(values, interpolateWith({ NAME: 'x', EMPTY: '' }));
  if ('why' in joined) throw new Error(joined.why);
  return joined;
}

describe('what compose files say', () => {
  test('!reset takes away what earlier files say, !override replaces it', () => {
    const over = `
services:
  db: {ports: !override ["5433:5432"], container_name: !reset null, networks: !override [back]}
  cache: !reset null
  job: {depends_on: !reset [db], ports: !reset ["1:1"]}
networks: {back: !reset null}
`;
    const { services, networks } = model(SHOP, over);
    expect([...services.keys()]).toEqual(['db', 'job']);
    expect([...networks.keys()]).toEqual(['outside']);
    expect(services.get('db')).toMatchObject({
      containerName: null,
      hostPorts: ['5433'],
      usesDefaultNetwork: false,
      graceMs: 90_000,
    });
    expect(services.get('job')).toMatchObject({ dependsOn: [], hostPorts: [] });
  });

  test('services, networks and volumes of a file', () => {
    const { services, version, name, networks, volumes } = model(SHOP);
    const things = [networks, volumes].map((all) =>
      [...all].map(([thing, { isExternal }]) => [thing, isExternal]),
    );
    expect({ version, name, things }).toEqual({
      version: '3.8',
      name: null,
      things: [
        [
          ['default', false],
          ['back', false],
          ['outside', true],
        ],
        [
          ['data', false],
          ['old', true],
        ],
      ],
    });
    expect(services.get('db')).toEqual({
      name: 'db',
      containerName: 'shop-db',
      hostPorts: ['5432', '8080', '9000/udp', '9001/udp'],
      dependsOn: [],
      graceMs: 90_000,
      usesDefaultNetwork: true,
      profiles: [],
    });
    expect(services.get('job')).toMatchObject({ dependsOn: ['cache'], usesDefaultNetwork: false });
  });

  test('later files win', () => {
    const { services } = model(
      SHOP,
      'services:\n  db: {container_name: other}\n  more: {image: x}',
    );
    expect(services.get('db')).toMatchObject({ containerName: 'other', graceMs: 90_000 });
    expect([...services.keys()]).toEqual(['db', 'cache', 'job', 'more']);
  });

  test.each([
    ['a file without services', 'a: 1', 'it names no "services"'],
    ['include', 'include: [x.yml]\nservices: {a: {}}', '"include" is not supported'],
  ])('%s is refused', (_what, text, why) => {
    expect(() => model(text)).toThrow(why);
  });

  test('no label is put on a network that compose does not make', () => {
    const outside = 'services: {a: {image: x}}\nnetworks: {default: {external: true}}';
    expect([...model(outside).networks.values()]).toMatchObject([{ isExternal: true }]);
    expect(model('services: {a: {network_mode: host}}').networks.size).toBe(0);
  });

  test.each([
    ['a$$b', 'a$b'],
    ['$NAME-$NONE', 'x-'],
    ['\u0024{NAME}\u0024{NONE-d}\u0024{EMPTY-d}', 'xd'],
    ['\u0024{EMPTY:-d}\u0024{NAME:-d}', 'dx'],
    ['\u0024{NAME:+y}\u0024{NONE+y}', 'y'],
  ])('%s', (text, value) => {
    expect(interpolateWith({ NAME: 'x', EMPTY: '' })(text)).toBe(value);
  });

  test('what up without names starts, and what it needs', () => {
    expect(defaultServices(model(SHOP), [])).toEqual(['db', 'job']);
    expect(defaultServices(model(SHOP), ['full'])).toEqual(['db', 'cache', 'job']);
    expect(withNeeded(model(SHOP), ['job'])).toEqual(['job', 'cache', 'db']);
  });
});

const MARKS: ContainerMarks = { id: 'a1b2c3d4e5f60718', root: '/p', place: 'm:1:2' };

describe('the override file', () => {
  test('repeats the version, and labels everything that compose makes', () => {
    const labels = labelsOf(MARKS);
    expect(JSON.parse(overrideText(model(SHOP), labels))).toEqual({
      version: '3.8',
      services: { db: { labels }, cache: { labels }, job: { labels } },
      networks: { default: { labels }, back: { labels }, outside: { external: true } },
      volumes: { data: { labels }, old: { external: { name: 'x' } } },
    });
    expect(JSON.parse(overrideText(model('services: {a: {network_mode: none}}'), labels))).toEqual({
      services: { a: { labels } },
    });
  });

  const things = (files: readonly string[], labels: Record<string, string> = { a: 'b' }) => {
    const { networks, volumes } = JSON.parse(overrideText(model(...files), labels));
    return { ...networks, ...volumes };
  };

  test('repeats how a network and a volume are defined, because compose 1.29 takes the last file alone', () => {
    const file = `
services: {a: {image: x}}
networks: {back: {internal: yes, driver_opts: {com.docker.network.bridge.name: br0}}}
volumes: {data: {name: "\${NAME}-data", external: no, labels: [kept=1=2, bare]}, old: {labels: {kept: 3}}}
`;
    expect(things([file])).toEqual({
      default: { labels: { a: 'b' } },
      back: {
        internal: true,
        driver_opts: { 'com.docker.network.bridge.name': 'br0' },
        labels: { a: 'b' },
      },
      data: { name: '\u0024{NAME}-data', labels: { kept: '1=2', bare: '', a: 'b' } },
      old: { labels: { kept: 3, a: 'b' } },
    });
  });

  test('a network that an earlier file calls external stays external, without a label', () => {
    const base =
      'services: {a: {network_mode: none}}\nnetworks: {out: {external: true, name: theirs}}';
    const over = 'networks: {out: {driver: bridge}}';
    expect(things([base, over])).toEqual({ out: { external: true, name: 'theirs' } });
    for (const own of ['{out: !override {}}', '{out: {external: !reset null, name: !reset null}}'])
      expect(things([base, `networks: ${own}`])).toEqual({ out: { labels: { a: 'b' } } });
    expect(things([base.replace('true', '"\u0024{NONE:-false}"')])).toEqual({
      out: { name: 'theirs', labels: { a: 'b' } },
    });
  });

  test('a dollar of a path is no variable of compose', () => {
    const file = 'services: {a: {network_mode: none}}\nvolumes: {data: }';
    expect(things([file], { root: '/a$b' })).toEqual({ data: { labels: { root: '/a$$b' } } });
  });
});

describe('whose a container is', () => {
  const ours = labelsOf(MARKS);
  test.each<[what: string, labels: Record<string, string>, marks: ContainerMarks, answer: boolean]>(
    [
      ['our label', ours, MARKS, true],
      ['after the folder was moved', ours, { ...MARKS, root: '/q', place: 'm:1:2' }, true],
      ['after a move to another disk', ours, { ...MARKS, root: '/q', place: 'm:7:7' }, true],
      ['after .pids was removed', ours, { ...MARKS, id: null }, true],
      ['after .pids was removed and made again', ours, { ...MARKS, id: 'ffffffffffffffff' }, true],
      ['a copy of the folder', ours, { id: 'ffffffffffffffff', root: '/q', place: 'm:1:3' }, false],
      ['another folder at our path', ours, { id: null, root: '/p', place: 'm:1:3' }, false],
      [
        'our folder at another path, without records',
        ours,
        { id: null, root: '/q', place: 'm:1:2' },
        false,
      ],
      ['another machine with one engine', ours, { id: null, root: '/p', place: 'n:1:2' }, false],
      ['no label', {}, MARKS, false],
      ['no label, no id', {}, { ...MARKS, id: null, place: null }, false],
      ['the path alone', { 'devctl.root': '/p' }, { ...MARKS, id: null }, false],
    ],
  )('%s', (_what, labels, marks, answer) => {
    expect(isOurs(labels, marks)).toBe(answer);
  });

  test('the engine is asked for each mark by itself', () => {
    expect(filtersOf(MARKS)).toEqual([
      'label=devctl.project=a1b2c3d4e5f60718',
      'label=devctl.place=m:1:2',
    ]);
    expect(filtersOf({ id: null, root: '/p', place: null })).toEqual([]);
  });
});

describe('the name of the compose project', () => {
  const facts = {
    fromManifest: null,
    fromEnvironment: null,
    fromFile: null,
    folderName: 'My Shop.2',
    isSecond: false,
    known: null,
    projectId: 'a1b2c3d4e5f60718',
  };
  const known = { name: 'shop', base: 'shop', source: 'folder' } as const;
  test.each<[what: string, given: object, name: string, isOwn: boolean]>([
    ['compose’s own, in the main checkout', {}, 'myshop2', false],
    ['compose’s own, in a worktree', { isSecond: true }, 'myshop2-a1b2c3', true],
    ['of the compose file', { fromFile: 'fixed' }, 'fixed', false],
    [
      'of the compose file, in a worktree',
      { fromFile: 'fixed', isSecond: true },
      'fixed-a1b2c3',
      true,
    ],
    [
      'of the environment',
      { fromEnvironment: 'env', fromFile: 'fixed', isSecond: true },
      'env',
      false,
    ],
    [
      'of the manifest',
      { fromManifest: 'mine', fromEnvironment: 'env', isSecond: true },
      'mine',
      false,
    ],
    ['kept, after the folder was renamed', { known }, 'shop', false],
    [
      'another one in the compose file by now',
      { fromFile: 'fixed', known: { ...known, source: 'compose-file' } },
      'fixed',
      false,
    ],
    ['kept with its own part', { known: { ...known, name: 'shop-a1b2c3' } }, 'shop-a1b2c3', true],
  ])('%s', (_what, given, name, isOwn) => {
    expect(chooseProjectName({ ...facts, ...given })).toMatchObject({ name, isOwn });
  });

  test('another project has the plain name', () => {
    const plain = chooseProjectName(facts);
    expect(withOwnPart(plain, facts.projectId)).toMatchObject({
      name: 'myshop2-a1b2c3',
      isOwn: true,
    });
  });

  test.each([
    ['_A b', 'ab'],
    ['日本', 'default'],
    ['a-B_c.d', 'a-b_cd'],
  ])('%s', (text, name) => {
    expect(normaliseName(text)).toBe(name);
  });
});

function container(given: Partial<EngineContainer> = {}): EngineContainer {
  return {
    id: '0'.repeat(64),
    name: 'shop_db_1',
    labels: {},
    service: 'db',
    project: 'shop',
    state: 'running',
    health: null,
    exitCode: null,
    stopTimeoutS: null,
    pid: 1,
    createdAtMs: 0,
    startedAtMs: 0,
    ports: [],
    anonymousVolumes: [],
    image: 'postgres',
    ...given,
  };
}

describe('what a start brings up', () => {
  const settings = {
    services: null,
    profiles: [],
    needs: { api: { db: 'ready' as const }, x: { nothing: 'ready' as const } },
  };
  test.each<
    [
      what: string,
      chosen: 'all' | 'needed' | readonly string[],
      names: readonly string[],
      services: readonly string[],
    ]
  >([
    ['everything', 'all', ['api'], ['db', 'job']],
    ['what services need', 'needed', ['api'], ['db']],
    ['nothing where none is needed', 'needed', ['web'], []],
    ['named ones', ['cache'], [], ['cache']],
  ])('%s', (_what, chosen, names, services) => {
    expect(planContainers(model(SHOP), settings, names, chosen)).toMatchObject({ services });
  });

  test('a name that the compose file does not have', () => {
    expect(planContainers(model(SHOP), settings, ['x'], 'needed')).toEqual({
      unknown: 'nothing',
      neededBy: 'x',
    });
    expect(
      planContainers(model(SHOP), { ...settings, services: ['dbb'] }, [], 'all'),
    ).toMatchObject({ unknown: 'dbb' });
    expect(unknownInWords('dbb', 'api', model(SHOP))).toContain('did you mean "db"?');
  });

  test('two services wait for different things: the later one counts', () => {
    const needs = {
      a: { db: 'started' as const },
      b: { db: 'completed' as const },
      c: { db: 'ready' as const },
    };
    const plan = planContainers(model(SHOP), { ...settings, needs }, ['a', 'b', 'c'], 'needed');
    expect('conditions' in plan && plan.conditions.get('db')).toBe('completed');
  });
});

describe('when a container is ready', () => {
  test.each<
    [
      what: string,
      given: Partial<EngineContainer>[],
      condition: DependencyCondition | null,
      kind: string,
    ]
  >([
    ['none was made', [], null, 'failed'],
    ['it runs', [{}], null, 'ready'],
    ['its health is not known yet', [{ health: 'starting' }], null, 'waiting'],
    ['only a start is needed', [{ health: 'starting' }], 'started', 'ready'],
    ['healthy', [{ health: 'healthy' }], 'ready', 'ready'],
    ['unhealthy', [{ health: 'unhealthy' }], 'ready', 'failed'],
    ['a task that succeeded', [{ state: 'exited', exitCode: 0 }], 'ready', 'ready'],
    ['it exited', [{ state: 'exited', exitCode: 3 }], 'ready', 'failed'],
    ['any end is good', [{ state: 'exited', exitCode: 3 }], 'exited', 'ready'],
    ['it is to end', [{}], 'completed', 'waiting'],
    ['it is to end in any way', [{}], 'exited', 'waiting'],
    ['restarting', [{ state: 'restarting' }], null, 'waiting'],
    ['one of two is not', [{}, { health: 'starting' }], null, 'waiting'],
    ['one of two failed', [{ health: 'starting' }, { state: 'dead', exitCode: 1 }], null, 'failed'],
  ])('%s', (_what, given, condition, kind) => {
    expect(judgeContainers(given.map(container), condition).kind).toBe(kind);
  });
});

describe('who is in the way', () => {
  test('a stranger in the compose project', () => {
    const own = container({ labels: labelsOf(MARKS) });
    const stranger = container({ id: '1'.repeat(64) });
    const oneOff = container({ labels: { 'com.docker.compose.oneoff': 'True' } });
    expect(sortByOwner([own, stranger, oneOff], MARKS)).toEqual({
      ours: [own],
      strangers: [stranger],
    });
    expect(strangerInWords(stranger, 7_300_000)).toBe(
      'shop_db_1 (111111111111, postgres, 2 h old)',
    );
  });

  test('a fixed name and a port, also of what is needed by compose', () => {
    const others = [
      container({ name: 'shop-db', state: 'exited', ports: ['5432'] }),
      container({ name: 'x', ports: ['8080'] }),
      container({ name: 'y', ports: ['9000'] }),
    ];
    const found = findCollisions(model(SHOP), ['job'], others);
    expect(found.map(({ service, what, holder }) => [service, what, holder?.name])).toEqual([
      ['db', 'the name shop-db', 'shop-db'],
      ['db', 'port 8080', 'x'],
    ]);
    expect(findCollisions(model(SHOP), ['job'], [])).toEqual([]);
  });
});

describe('what a stop has left', () => {
  const nothing = { containers: [], networks: [], volumes: [], unknown: null };
  const stopped = { id: '', name: '', service: '', why: null };
  const thing = { name: 'n', why: null };
  test.each<[what: string, given: Partial<Parameters<typeof isSomethingLeft>[0]>, left: boolean]>([
    ['nothing', {}, false],
    ['a container', { containers: [{ ...stopped, outcome: 'left' }] }, true],
    ['a container that is kept', { containers: [{ ...stopped, outcome: 'kept' }] }, false],
    ['a removed one', { containers: [{ ...stopped, outcome: 'removed' }] }, false],
    ['a network', { networks: [{ ...thing, removed: false }] }, true],
    ['a volume', { volumes: [{ ...thing, removed: true }] }, false],
    ['nobody knows', { unknown: '2 containers: not known' }, true],
  ])('%s', (_what, given, left) => {
    expect(isSomethingLeft({ ...nothing, ...given })).toBe(left);
  });
});
