import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bystanders, RECIPES_FOLDER, startBystanders } from './bystanders.ts';

/** The environment variables for the recipes of `fixtures/bystanders/`. */
export interface CrowdPlace extends Readonly<Record<string, string>> {
  /** The project folder. */
  readonly ROOT: string;
  /** An empty folder that has nothing to do with it. */
  readonly OUTSIDE: string;
  /** The id of the project and of a run of one of its services, as in their cookies. */
  readonly ID: string;
  readonly RUN: string;
  /** Log and stdin of a service, and a port that it listens on. */
  readonly LOG: string;
  readonly FIFO: string;
  readonly PORT: string;
  /** The pid of a process of a service. */
  readonly TARGET: string;
}

/**
 * Starts one of each kind in `fixtures/bystanders/` that this machine can have.
 *
 * @param uid the user who runs them, if not our own
 */
export function gatherCrowd(place: CrowdPlace, uid?: number): Promise<Bystanders> {
  const kinds = readdirSync(RECIPES_FOLDER)
    .flatMap((name) => (name.endsWith('.sh') ? [name.slice(0, -3)] : []))
    .filter((kind) => needsOf(kind).every((need) => has(need, uid)));
  const recipes = kinds.map((kind) => {
    const command = ['sh', join(RECIPES_FOLDER, `${kind}.sh`)] as const;
    return { kind, command: [...command] satisfies [string, ...string[]] };
  });
  return startBystanders(recipes, place.OUTSIDE, place, uid);
}

/** The needs of a recipe, which its third line may name: `# Needs: root tmux`. */
function needsOf(kind: string): readonly string[] {
  const text = readFileSync(join(RECIPES_FOLDER, `${kind}.sh`), 'utf8');
  return /^# Needs: (.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
}

function has(need: string, uid: number | undefined): boolean {
  const isRoot = (uid ?? process.getuid?.()) === 0;
  if (need === 'root') return isRoot;
  // Where Yama is, only root may trace a process that is not its child (ptrace(2), ptrace_scope).
  if (need === 'ptrace') return isRoot && process.platform === 'linux' && mayTrace();
  return spawnSync('/bin/sh', ['-c', `command -v ${need}`]).status === 0;
}

/** True where ptrace is allowed: containers often forbid it even to root. */
function mayTrace(): boolean {
  const number = { x64: 101, arm64: 117 }[process.arch as string];
  if (number === undefined) return false;
  const program = `$p = fork // die; sleep 5, exit unless $p; $r = syscall(${number}, 0x4206, $p, 0, 0); kill 9, $p; exit($r != 0)`;
  return spawnSync('perl', ['-e', program]).status === 0;
}
