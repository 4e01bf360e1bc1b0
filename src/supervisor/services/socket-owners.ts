import { inWords } from '../../errors.ts';
import { monotonicMs } from '../../processes/clock.ts';
import { describeCommand } from '../../processes/describe.ts';
import type { Host } from '../../processes/host.ts';
import { childrenOf } from '../../processes/linux/children.ts';
import { groupMembers } from '../../processes/linux/control-groups.ts';
import { findOwnerPids, type Listener, listeners } from '../../processes/ports.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import { userName } from '../../processes/users.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { LifecycleState } from '../../services/lifecycle/states.ts';
import type { OwnSockets } from '../../services/probes/probe.ts';
import {
  ENGINE_PROXIES,
  type HeldSocket,
  judgeSocket,
  type SocketHolder,
  type SocketTerms,
  socketsBehind,
  whyNotListening,
} from '../../services/probes/whose-socket.ts';
import { lookAtProject } from '../../tracking/look.ts';

export interface SocketOwnersContext {
  readonly host: Pick<Host, 'snapshot' | 'self'>;
  readonly folder: ProjectFolder;
  readonly log: (line: string) => void;
}

/** The run of a service, as far as its sockets are concerned: a `ServiceEntry` is one. */
export interface SocketUser {
  readonly name: string;
  readonly state: LifecycleState;
  readonly record: Pick<ServiceRecord, 'cgroup'> | null;
  /** Keys of the sockets that listened before the spawn. */
  readonly listenedBefore: ReadonlySet<string>;
}

/** How long one list of the listening sockets serves all who ask, in ms. */
const LIST_MS = 50;
/** How long a holder that is not ours stays known, in ms: to search for it takes a look at every process. */
const STRANGER_MS = 2_000;

/** The known holder of one socket, and how long it stays known. */
interface Known {
  readonly holder: SocketHolder;
  readonly untilMs: number;
}

/**
 * Finds out whose the listening sockets are, for the probes of all services. A socket that is ours stays ours for as long
 * as it listens, so it is searched for once.
 */
export class SocketOwners {
  readonly #context: SocketOwnersContext;
  readonly #known = new Map<string, Known>();
  #list: { readonly sockets: Promise<readonly Listener[]>; readonly untilMs: number } | null = null;
  #search: Promise<void> = Promise.resolve();
  #isBlind = false;
  /** The notes that were written to the log already. */
  readonly #told = new Set<string>();

  constructor(context: SocketOwnersContext) {
    this.#context = context;
  }

  /** Returns the keys of the sockets that listen now on these ports. */
  async keysOn(ports: readonly number[]): Promise<ReadonlySet<string>> {
    if (ports.length === 0) return new Set();
    this.#list = null;
    const sockets = (await this.#listeners()) ?? [];
    return new Set(sockets.filter(({ port }) => ports.includes(port)).map(keyOf));
  }

  /** Returns the questions that the probes of one run of a service may ask. */
  forRun(entry: SocketUser): OwnSockets {
    const before = entry.listenedBefore;
    const terms = (scope: SocketTerms['scope']) => ({ service: entry.name, scope, before });
    return {
      whyNotListening: async (ports) => {
        const sockets = await this.held(ports, entry);
        // Where nobody can tell who listens, there is nothing to wait for.
        return sockets === null ? null : whyNotListening(ports, sockets, terms('service'));
      },
      whyForeign: async (address, port) => {
        const look = async () =>
          socketsBehind((await this.held([port], entry)) ?? [], address, port);
        let behind = await look();
        if (behind.length === 0) {
          // The list may be older than the answer.
          this.#list = null;
          behind = await look();
        }
        if (behind.length === 0) {
          const note = `an answer on port ${port} counts, although nobody is seen to listen there`;
          this.#tell(entry, note);
          return null;
        }
        for (const socket of behind) {
          const verdict = judgeSocket(socket, terms('project'));
          if (verdict !== 'counts') {
            return `${verdict.why}; "owner": "any" in the probe would accept it`;
          }
          if (socket.holder.kind !== 'ours') {
            this.#tell(entry, `port ${port} is held by ${socket.holder.description}, and counts`);
          }
        }
        return null;
      },
    };
  }

  /** Says who holds one of these ports since before the spawn of a run, and is not of this project; null: nobody. */
  async heldBefore(ports: readonly number[], entry: SocketUser): Promise<string | null> {
    const before = entry.listenedBefore;
    const sockets = (await this.held(ports, entry)) ?? [];
    for (const socket of sockets.filter(({ key }) => before.has(key))) {
      const verdict = judgeSocket(socket, { service: entry.name, scope: 'project', before });
      if (verdict !== 'counts') return verdict.why;
    }
    return null;
  }

  /** Returns which of these processes listen on one of the ports; none where nobody can tell. */
  async holders(
    ports: readonly number[],
    processes: readonly ProcessInfo[],
  ): Promise<ReadonlySet<number>> {
    const all = ((await this.#listeners()) ?? []).filter(({ port }) => ports.includes(port));
    const pids = processes.map(({ identity }) => identity.pid);
    const named = all.flatMap(({ pid }) => (pid !== null && pids.includes(pid) ? [pid] : []));
    return new Set([...named, ...findOwnerPids(inodesOf(all), pids).values()]);
  }

  /** Returns the ports that processes of this run listen on; null where nobody can tell. */
  async portsOf(entry: SocketUser): Promise<readonly number[] | null> {
    const all = await this.#listeners();
    if (all === null) return null;
    const owners = findOwnerPids(inodesOf(all), pidsOf(entry));
    const owned = all.filter(({ inode }) => inode !== null && owners.has(inode));
    return [...new Set(owned.map(({ port }) => port))];
  }

  /**
   * Returns the sockets that listen on these ports, with their holders.
   *
   * @param entry its processes are searched first
   * @returns null where nobody can tell who listens
   */
  async held(
    ports: readonly number[],
    entry: SocketUser | null,
  ): Promise<readonly HeldSocket[] | null> {
    const all = await this.#listeners();
    if (all === null) return null;
    const keys = new Set(all.map(keyOf));
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
    const wanted = all.filter(({ port }) => ports.includes(port));
    const isUnknown = (one: Listener): boolean => {
      const known = this.#known.get(keyOf(one));
      return !known || known.untilMs <= monotonicMs();
    };
    if (wanted.some(isUnknown)) {
      // One search at a time, because the next one may find everything known.
      this.#search = this.#search.then(() => this.#searchFor(wanted.filter(isUnknown), entry));
      await this.#search;
    }
    return wanted.map((one) => {
      const holder = this.#known.get(keyOf(one))?.holder ?? unseen(one);
      return { port: one.port, address: one.address, key: keyOf(one), holder };
    });
  }

  async #listeners(): Promise<readonly Listener[] | null> {
    const nowMs = monotonicMs();
    if (!this.#list || this.#list.untilMs <= nowMs) {
      this.#list = { sockets: listeners(), untilMs: nowMs + LIST_MS };
    }
    try {
      return await this.#list.sockets;
    } catch (error) {
      if (!this.#isBlind) this.#context.log(`who listens is not known: ${inWords(error)}`);
      this.#isBlind = true;
      return null;
    }
  }

  async #searchFor(sockets: readonly Listener[], entry: SocketUser | null): Promise<void> {
    if (sockets.length === 0) return;
    if (entry) this.#searchRun(sockets, entry);
    const open = sockets.filter((one) => this.#known.get(keyOf(one))?.holder.kind !== 'ours');
    if (open.length === 0) return;
    try {
      await this.#searchAll(open);
    } catch (error) {
      // A later attempt looks again.
      this.#context.log(`who holds port ${open[0]?.port} is not known: ${inWords(error)}`);
    }
  }

  /** Searches the processes of a run, which the kernel lists without a look at all processes. */
  #searchRun(sockets: readonly Listener[], entry: SocketUser): void {
    const { name } = entry;
    const owners = findOwnerPids(inodesOf(sockets), pidsOf(entry));
    for (const one of sockets) {
      if (one.inode === null || !owners.has(one.inode)) continue;
      this.#known.set(keyOf(one), { holder: { kind: 'ours', service: name }, untilMs: FOREVER });
    }
  }

  async #searchAll(sockets: readonly Listener[]): Promise<void> {
    const { host, folder } = this.#context;
    const { snapshot, claims } = await lookAtProject(host, folder);
    const services = new Map(claims.map(({ process, service }) => [process.identity.pid, service]));
    const pids = [...services.keys(), ...snapshot.byPid.keys()];
    const owners = findOwnerPids(inodesOf(sockets), pids);
    const soonMs = monotonicMs() + STRANGER_MS;
    for (const one of sockets) {
      const pid = one.pid ?? owners.get(one.inode ?? -1);
      const process = pid === undefined ? undefined : snapshot.byPid.get(pid);
      if (pid !== undefined && services.has(pid)) {
        const holder = { kind: 'ours', service: services.get(pid) ?? null } as const;
        this.#known.set(keyOf(one), { holder, untilMs: FOREVER });
      } else if (process) {
        const description = `${describeCommand(snapshot, process)} (pid ${pid})`;
        const kind = ENGINE_PROXIES.has(process.name) ? 'unseen' : 'stranger';
        this.#known.set(keyOf(one), { holder: { kind, description }, untilMs: soonMs });
      } else {
        this.#known.set(keyOf(one), { holder: unseen(one), untilMs: soonMs });
      }
    }
  }

  #tell({ name }: SocketUser, note: string): void {
    const line = `${name}: ${note}`;
    if (this.#told.has(line)) return;
    this.#told.add(line);
    this.#context.log(line);
  }
}

const FOREVER = Number.POSITIVE_INFINITY;

/** An inode names a socket for as long as it is open; where there is none (lsof), its owner and address do. */
function keyOf({ inode, pid, address, port }: Listener): string {
  return inode === null ? `${pid} ${address} ${port}` : String(inode);
}

function inodesOf(sockets: readonly Listener[]): ReadonlySet<number> {
  return new Set(sockets.flatMap(({ inode }) => inode ?? []));
}

function unseen({ uid }: Listener): SocketHolder {
  const description =
    uid === null ? 'a process that cannot be seen' : `a process of ${userName(uid)}`;
  return { kind: 'unseen', description };
}

/** The processes of a run that the kernel lists by themselves: those in its control group, or those below its leader. */
function pidsOf({ record, state }: SocketUser): readonly number[] {
  const leader = 'leader' in state ? state.leader : null;
  const held = record?.cgroup?.held ? groupMembers(record.cgroup.path) : [];
  if (held.length > 0) return held;
  return leader ? treeOf(leader.pid) : [];
}

/** The process and its living descendants, as far as they have not left for another parent. */
function treeOf(pid: number): number[] {
  const tree = [pid];
  for (const one of tree) tree.push(...(childrenOf(one) ?? []));
  return tree;
}
