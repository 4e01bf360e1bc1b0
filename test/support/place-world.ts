import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { cleanEnvironment } from './clean-environment.ts';
import { signalExactly } from './end-processes.ts';
import { repositoryRoot } from './paths.ts';
import { type Ground, isAlive, keyOf, openGround } from './places.ts';
import type { SeenProcess } from './seen-process.ts';
import { until } from './until.ts';

/** The deeds that may be done to projects between a start and a stop. */
export const DEEDS = [
  'start',
  'stop',
  'stop --force',
  'move',
  'move across',
  'move, leave a link',
  'move, leave a checkout',
  'copy',
  'copy without times',
  'copy over the old path',
  'remove',
  'remove, check out anew',
  'clean',
  'drop the manifest',
  'nest',
  'give the id',
  'give the project file',
  'kill the supervisor',
  'kill the leaders',
  'stop in another namespace',
  'wait',
] as const;

/** One deed, with numbers that choose its projects among those that are there. */
export interface Step {
  readonly deed: (typeof DEEDS)[number];
  readonly which: number;
  readonly other: number;
}

/** The faults of one case, and the deeds and stops that it took. */
export interface Played {
  readonly faults: readonly string[];
  /** The deeds that were done, for people. */
  readonly told: readonly string[];
  readonly stops: number;
}

/** Plays a case over real folders and processes, and ends everything in the end. */
export async function playSteps(steps: readonly Step[]): Promise<Played> {
  await using ground = await openGround();
  const world = new World(ground);
  await world.begin();
  for (const step of steps) await world.take(step);
  await world.endAll();
  return { faults: world.faults, told: world.told, stops: world.stops };
}

/** A project folder, which keeps what it is while its path changes. */
interface Place {
  path: string;
  gone: boolean;
  hasManifest: boolean;
  hasRecords: boolean;
  /** True when its supervisor may end everything by itself: the folder or all that was in it was removed. */
  mayEnd: boolean;
  moved: boolean;
  /** True when nothing in the folder tells any more whose the processes are: only their own marks do. */
  lost: boolean;
  /** The id of the project, as its first start wrote it. */
  id: string | null;
}

/** A process that a service of this place has started. */
interface Owned {
  readonly process: SeenProcess;
  readonly home: Place;
}

class World {
  readonly faults: string[] = [];
  readonly told: string[] = [];
  stops = 0;
  readonly #ground: Ground;
  readonly #places: Place[] = [];
  readonly #owned: Owned[] = [];
  readonly #bystanders: SeenProcess[] = [];
  #names = 0;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  async begin(): Promise<void> {
    await this.#start(await this.#checkOut('P'));
  }

  async take({ deed, which, other }: Step): Promise<void> {
    const there = this.#there();
    const place = there[which % there.length];
    const second = there[other % there.length];
    if (!place || !second) return;
    this.told.push(
      `${deed}: ${this.#nameOf(place)}${second === place ? '' : ` (${this.#nameOf(second)})`}`,
    );
    await this.#do(deed, place, second);
    this.#checkBystanders(deed);
  }

  /** Stops every project, where it is by now, and looks for what is left. */
  async endAll(): Promise<void> {
    for (const place of this.#there().reverse()) await this.#stop(place, ['--force']);
    for (const place of this.#places.filter((one) => this.#living(one).length > 0)) {
      this.told.push(`what is left of ${this.#nameOf(place)}`);
      if (place.mayEnd) await this.#awaitOwnEnd(place);
      const isElsewhere = place.gone || place.lost;
      if (isElsewhere && this.#living(place).length > 0) await this.#stopById(place);
    }
    const left = this.#owned.filter(({ process }) => isAlive(process));
    const isNamed = ({ home }: Owned): boolean => this.#named.has(home);
    for (const one of left.filter((owned) => !isNamed(owned))) {
      this.faults.push(`orphan: pid ${one.process.pid} of ${this.#nameOf(one.home)}`);
    }
    this.#checkBystanders('the end');
  }

  /** Places of which a stop has named what it could not end. */
  readonly #named = new Set<Place>();

  async #do(deed: Step['deed'], place: Place, second: Place): Promise<void> {
    switch (deed) {
      case 'start':
        return this.#start(place);
      case 'stop':
        return this.#stop(place, []);
      case 'stop --force':
        return this.#stop(place, ['--force']);
      case 'move':
      case 'move across':
      case 'move, leave a link':
      case 'move, leave a checkout':
        return this.#move(place, deed);
      case 'copy':
      case 'copy without times':
        return this.#copy(place, this.#fresh(), deed === 'copy' ? '-a' : '-r');
      case 'copy over the old path': {
        const before = place.path;
        await this.#move(place, 'move');
        if (place.path !== before) await this.#copy(place, before, '-a');
        return;
      }
      case 'remove':
      case 'remove, check out anew': {
        const { path } = place;
        await this.#remove(place);
        if (deed !== 'remove') await this.#checkOut(path);
        return;
      }
      case 'clean':
        // A supervisor may write meanwhile.
        rmSync(join(place.path, '.pids'), { recursive: true, force: true, maxRetries: 20 });
        place.hasRecords = false;
        place.mayEnd ||= !place.hasManifest;
        place.lost ||= place.moved && this.#residentsOf(place).length === 0;
        return;
      case 'drop the manifest':
        rmSync(join(place.path, '.devctl.json'), { force: true });
        place.hasManifest = false;
        place.mayEnd ||= !place.hasRecords;
        return;
      case 'nest':
        return this.#start(await this.#checkOut(join(place.path, 'apps', this.#fresh())));
      case 'give the id':
      case 'give the project file':
        return giveId(place, second, deed === 'give the id');
      case 'kill the supervisor':
        return this.#kill(this.#supervisorsOf(place));
      case 'kill the leaders':
        return this.#kill(this.#living(place).filter(({ environment }) => environment.length > 0));
      case 'stop in another namespace':
        return this.#stopInNamespace(place);
      case 'wait':
        await delay(1_300);
        return;
    }
  }

  #residentsOf({ path }: Place): readonly SeenProcess[] {
    return this.#ground.residents().filter(({ cwd }) => cwd === path);
  }

  #supervisorsOf(place: Place): readonly SeenProcess[] {
    return this.#residentsOf(place).filter(({ argv }) =>
      argv.some((word) => word.endsWith('/main.js')),
    );
  }

  #there(): Place[] {
    return this.#places.filter(({ gone }) => !gone);
  }

  #fresh(): string {
    this.#names += 1;
    return this.#ground.path(`p${this.#names}`);
  }

  #nameOf({ path, gone }: Place): string {
    return `${path.replace(this.#ground.root, '')}${gone ? ' (gone)' : ''}`;
  }

  #living(place: Place): SeenProcess[] {
    return this.#owned
      .filter(({ home, process }) => home === place && isAlive(process))
      .map(({ process }) => process);
  }

  async #checkOut(path: string): Promise<Place> {
    this.#ground.write(path);
    return this.#add(this.#ground.path(path), true, false);
  }

  async #add(path: string, hasManifest: boolean, hasRecords: boolean): Promise<Place> {
    const place = {
      path,
      gone: false,
      hasManifest,
      hasRecords,
      mayEnd: false,
      moved: false,
      lost: false,
      id: null,
    };
    this.#places.push(place);
    this.#bystanders.push(await this.#ground.bystander(path));
    return place;
  }

  async #start(place: Place): Promise<void> {
    if (!place.hasManifest) return;
    const before = this.#all();
    const seen = new Set(this.#ground.living().map(keyOf));
    const { exitCode, stderr } = await this.#ground.devctl(place.path, 'start');
    this.told.push(`  start: ${exitCode}`);
    if (exitCode !== 0) this.told.push(stderr);
    const fresh = () => this.#ground.living().filter((one) => !seen.has(keyOf(one)));
    // A daemon comes a moment after its leader.
    for (let count = -1; count !== fresh().length; await delay(200)) count = fresh().length;
    for (const process of fresh()) this.#owned.push({ process, home: place });
    if (exitCode === 0) {
      place.hasRecords = true;
      place.id ??= readId(place);
    }
    this.#checkEnded('start', place, before);
  }

  async #stop(place: Place, flags: readonly string[]): Promise<void> {
    const before = this.#all();
    const result = await this.#ground.devctl(place.path, 'stop', '--json', ...flags);
    this.#judgeStop(place, before, result);
  }

  async #stopById(place: Place): Promise<void> {
    const before = this.#all();
    const named = place.id ?? place.path;
    const result = await this.#ground.devctl('/', 'stop', '--json', '--project', named);
    this.#judgeStop(place, before, result);
  }

  #judgeStop(
    place: Place,
    before: readonly Owned[],
    { exitCode, stdout, stderr }: { exitCode: number; stdout: string; stderr: string },
  ): void {
    this.stops += 1;
    const meant = this.#meant(place);
    const name = this.#nameOf(place);
    const living = this.#living(meant);
    this.told.push(
      `  stop in ${name}: ${exitCode}, ${living.length} left of ${this.#nameOf(meant)}`,
    );
    this.#checkEnded(`stop in ${name}`, place, before);
    if (exitCode === 0 && living.length > 0 && !meant.lost) {
      const pids = living.map(({ pid }) => pid).join(', ');
      this.faults.push(
        `exit code 0 of a stop in ${name}, and these live: ${pids}\n${stdout}${stderr}`,
      );
    }
    if (exitCode === 4) {
      const survivors: readonly { pid: number }[] = JSON.parse(stdout).survivors;
      const unnamed = living.filter(({ pid }) => !survivors.some((one) => one.pid === pid));
      if (unnamed.length > 0) {
        this.faults.push(
          `not named by a stop in ${name}: ${unnamed.map(({ pid }) => pid).join(', ')}`,
        );
      }
      this.#named.add(meant);
    }
    if (![0, 2, 4].includes(exitCode))
      this.faults.push(`exit code ${exitCode} of a stop: ${stderr}`);
    if (exitCode === 2 && place.hasManifest && !place.gone) {
      this.faults.push(`a stop in ${name} refuses: ${stderr}`);
    }
  }

  /** The project that a stop in this folder means: without manifest and processes the nearest one above it. */
  #meant(place: Place): Place {
    if (place.hasManifest || place.gone || this.#owned.some(({ home }) => home === place))
      return place;
    const above = this.#there().filter(
      (one) => one !== place && place.path.startsWith(`${one.path}/`),
    );
    return above.toSorted((a, b) => b.path.length - a.path.length)[0] ?? place;
  }

  #all(): readonly Owned[] {
    return this.#owned.filter(({ process }) => isAlive(process));
  }

  /** Only the project itself may end by a command in its folder, and what has no folder any more. */
  #checkEnded(what: string, place: Place, before: readonly Owned[]): void {
    const ended = before.filter(({ process }) => !isAlive(process));
    const meant = this.#meant(place);
    for (const { process, home } of ended) {
      if (home === place || home === meant || home.gone || home.mayEnd) continue;
      this.faults.push(`${what} ended pid ${process.pid} of ${this.#nameOf(home)}`);
    }
  }

  #checkBystanders(what: string): void {
    for (const [index, one] of this.#bystanders.entries()) {
      if (isAlive(one)) continue;
      this.faults.push(`bystander killed: pid ${one.pid} in ${one.cwd}, at: ${what}`);
      this.#bystanders.splice(index, 1);
    }
  }

  async #move(place: Place, how: Step['deed']): Promise<void> {
    if (!place.hasRecords && this.#residentsOf(place).length === 0) place.lost = true;
    const from = place.path;
    const to = how === 'move across' ? join(this.#ground.otherFileSystem(), 'p') : this.#fresh();
    const device = statSync(from).dev;
    await this.#ground.run('mv', from, to);
    const isAcross = statSync(to).dev !== device;
    if (isAcross && !place.hasRecords) place.lost = true;
    for (const one of this.#there()) {
      if (one.path !== from && !one.path.startsWith(`${from}/`)) continue;
      one.path = to + one.path.slice(from.length);
      one.moved = true;
      // For the kernel it is a copy and a removal.
      one.mayEnd ||= isAcross;
    }
    if (how === 'move, leave a link') symlinkSync(to, from);
    if (how === 'move, leave a checkout') await this.#checkOut(from);
  }

  async #copy(place: Place, to: string, how: string): Promise<void> {
    const from = place.path;
    if (existsSync(to)) return;
    // Files come and go while services run, and cp complains.
    await this.#ground.run('sh', '-c', `cp ${how} '${from}' '${to}' 2>/dev/null || true`);
    for (const one of this.#there()) {
      if (one.path !== from && !one.path.startsWith(`${from}/`)) continue;
      await this.#add(to + one.path.slice(from.length), one.hasManifest, one.hasRecords);
    }
  }

  async #remove({ path }: Place): Promise<void> {
    await this.#ground.remove(path);
    for (const one of this.#there()) {
      if (one.path !== path && !one.path.startsWith(`${path}/`)) continue;
      one.gone = true;
      one.mayEnd = true;
    }
  }

  async #kill(targets: readonly SeenProcess[]): Promise<void> {
    for (const target of targets) {
      signalExactly(target, 'SIGKILL');
      await until(() => !isAlive(target));
    }
  }

  /** In a PID namespace of its own nothing of these projects lives, and no number means what it says. */
  async #stopInNamespace(place: Place): Promise<void> {
    const before = this.#all();
    const devctl = [process.execPath, join(repositoryRoot, 'bin', 'devctl.js'), 'stop', '--force'];
    await execa('unshare', ['--pid', '--fork', '--mount-proc', '--kill-child', ...devctl], {
      cwd: place.path,
      env: { ...cleanEnvironment(), XDG_STATE_HOME: join(this.#ground.state, '..') },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
    });
    for (const { process, home } of before) {
      if (isAlive(process) || home.mayEnd) continue;
      this.faults.push(`ended from another namespace: pid ${process.pid} of ${this.#nameOf(home)}`);
    }
  }

  /** Waits until the supervisor of a removed project has ended it, if there is one. */
  async #awaitOwnEnd(place: Place): Promise<void> {
    const isWatched = () =>
      this.#ground.residents().some(({ argv }) => argv.some((word) => word.endsWith('/main.js')));
    for (let left = 200; left > 0 && this.#living(place).length > 0 && isWatched(); left -= 1) {
      await delay(50);
    }
  }
}

function readId({ path }: Place): string | null {
  try {
    return JSON.parse(readFileSync(join(path, '.pids', 'project.json'), 'utf8')).id;
  } catch {
    return null;
  }
}

/** Gives the second project the id of the first one, as a hand or a tool may copy it. */
function giveId(from: Place, to: Place, idOnly: boolean): void {
  if (from === to) return;
  const path = (place: Place) => join(place.path, '.pids', 'project.json');
  if (!existsSync(path(from))) return;
  const given = JSON.parse(readFileSync(path(from), 'utf8'));
  if (!idOnly) {
    mkdirSync(join(to.path, '.pids'), { recursive: true });
    writeFileSync(path(to), JSON.stringify(given));
    return;
  }
  if (!existsSync(path(to))) return;
  const own = JSON.parse(readFileSync(path(to), 'utf8'));
  writeFileSync(path(to), JSON.stringify({ ...own, id: given.id }));
}
