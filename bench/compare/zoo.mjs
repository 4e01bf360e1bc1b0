// The public zoo: each way of getting away as a service of any supervisor, its own stop, and a count of what is left.
//
// The oracle is that of devctl's own tests: a process belongs to a behaviour if it holds the mark of it open, or has its
// path among its arguments. It knows none of the supervisors.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { loadInternals, ZOO_SOURCES } from '../internals.mjs';
import { openSession } from './session.mjs';

/** Seconds that a service gets to end by itself. Some need 1.5 of them. */
const GRACE = 4;
/** How long a stop may take, in ms: concurrently waits for ever for a process that ignores it. */
const STOP_MS = 20_000;
/** How long behaviours may take until they are set up, in ms. A tool may give some of them no chance to be. */
const READY_MS = 20_000;
/** A process that lives so long after the stop is left, in ms. */
const LATER_MS = 5_000;
/** How many supervisors run at the same time, where each has one service. */
const AT_ONCE = 6;
/** Every process of the zoo ends by itself after so many seconds. */
const LIFETIME_S = 180;

export async function openZoo(root) {
  const parts = await loadInternals(root, ZOO_SOURCES);
  const here = await parts.lookHere();
  if (!here.any) throw new Error('the zoo needs Linux and Perl');
  const user = here.root ? 'root' : 'ordinary';
  const all = parts
    .runnable(parts.behaviours(), { user }, here)
    .filter(({ needs }) => needs === null || parts.findProgram(needs));
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'devctl-zoo-')));
  chmodSync(folder, 0o755);
  const mark = ['DEVCTL_ZOO', folder];
  const oracle = parts.openOracle({ folders: [folder], environment: [mark.join('=')] });
  const zoo = { ...parts, folder, mark, oracle, all, count: 0 };
  const onExit = () => {
    parts.endAtOnce(oracle.everything);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', onExit);
  return {
    names: all.map(({ name }) => name),
    behaviours: all,
    visit: (options) => visitAll(zoo, options),
    async close() {
      await parts.endProcesses(oracle.everything);
      rmSync(folder, { recursive: true, force: true });
      process.off('exit', onExit);
    },
  };
}

/**
 * @returns { visited, left: Map of name → processes left, bystanders, harmed: their descriptions, notReady: names }
 */
async function visitAll(zoo, { adapter, found, only }) {
  const chosen = zoo.all.filter(({ name }) => only.length === 0 || only.includes(name));
  const total = { visited: 0, left: new Map(), bystanders: 0, harmed: [], notReady: [] };
  const add = (one) => {
    total.visited += one.visited;
    for (const [name, count] of one.left) total.left.set(name, count);
    total.bystanders += one.bystanders;
    total.harmed.push(...one.harmed);
    total.notReady.push(...one.notReady);
  };
  // Storms run apart, because they starve the others.
  const calm = chosen.filter(({ storm }) => !storm);
  const groups = adapter.isAlone
    ? calm.map((one) => [one])
    : [calm].filter((all) => all.length > 0);
  for (let index = 0; index < groups.length; index += AT_ONCE) {
    const some = groups.slice(index, index + AT_ONCE);
    for (const one of await Promise.all(some.map((group) => visit(zoo, adapter, found, group)))) {
      add(one);
    }
  }
  for (const one of chosen.filter(({ storm }) => storm)) {
    add(await visit(zoo, adapter, found, [one]));
  }
  return total;
}

/** One start and one stop with these behaviours as services. */
async function visit(zoo, adapter, found, behaviours) {
  zoo.count += 1;
  const folder = path.join(zoo.folder, String(zoo.count));
  const marks = path.join(folder, 'marks');
  const elsewhere = path.join(folder, 'elsewhere');
  mkdirSync(marks, { recursive: true });
  // Some behaviours become another user.
  chmodSync(folder, 0o755);
  chmodSync(marks, 0o777);
  const ports = await zoo.freePorts(behaviours.length);
  const tracks = zoo.openTracks(marks);
  const services = behaviours.map((behaviour, index) => {
    const place = { mark: tracks.mark(behaviour.name), port: ports[index], folder: zoo.zooFolder };
    writeFileSync(place.mark, '');
    return { name: behaviour.name, command: behaviour.args(place) };
  });
  const environment = { ...zoo.cleanEnvironment(), FIXTURE_LIFETIME: String(LIFETIME_S) };
  const session = openSession({
    ...{ adapter, found, folder, services, environment },
    ...{ mark: zoo.mark, grace: GRACE, deadlineMs: STOP_MS },
  });
  const log = path.join(folder, 'log-of-a-service');
  writeFileSync(log, '');
  let bystanders;
  try {
    await session.start();
    const isReady = ({ name, lines }) => tracks.lines(name).length >= lines;
    await until(() => behaviours.every(isReady), READY_MS);
    const notReady = behaviours.filter((one) => !isReady(one)).map(({ name }) => name);
    bystanders = await zoo.startZooBystanders({
      uid: null,
      root: session.project,
      elsewhere,
      zoo: zoo.zooFolder,
      service: behaviours[0].name,
      log,
    });
    await session.stop();
    await session.quit();
    await until(() => tracks.all().length === 0, LATER_MS);
    const sizes = new Map(behaviours.map(({ name }) => [name, tracks.size(name)]));
    const left = new Map([...tracks.living()].map(([name, some]) => [name, some.length]));
    // One that is too fast to be seen goes on writing into its mark.
    if (behaviours.some(({ storm }) => storm)) await setTimeout(1_000);
    for (const [name, size] of sizes) {
      if (!left.has(name) && tracks.size(name) > size) left.set(name, 1);
    }
    return {
      visited: behaviours.length,
      left,
      bystanders: bystanders.count,
      harmed: bystanders.dead(),
      notReady,
    };
  } catch (error) {
    const output = existsSync(path.join(folder, 'tool.log')) ? session.output() : '';
    error.message += `\n${output}`;
    throw error;
  } finally {
    await bystanders?.[Symbol.asyncDispose]();
    // A storm ends by itself when its mark is gone. It can be too fast to be ended otherwise.
    rmSync(marks, { recursive: true, force: true });
    const ours = () =>
      zoo.oracle.everything().filter(({ files, argv }) => [...files, ...argv].some(isInside));
    const isInside = (text) => text.includes(`${folder}/`);
    await zoo.endProcesses(() => [...tracks.all(), ...ours()]);
  }
}

async function until(isSo, ms) {
  const end = performance.now() + ms;
  while (!isSo() && performance.now() < end) await setTimeout(50);
}
