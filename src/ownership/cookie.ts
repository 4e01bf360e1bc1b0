/**
 * The mark in the environment. It survives double forks, new sessions and the death of every
 * parent, and is inherited by everything that does not clear its environment.
 *
 * Each variable is set twice: turbo's strict mode deletes every variable that it does not know, but
 * lets the prefix TURBO_ through (measured with turbo 2.11).
 */
const CARRIER = 'TURBO_';
const PROJECT = 'DEVCTL_PROJECT';
const SERVICE = 'DEVCTL_SERVICE';
const RUN = 'DEVCTL_RUN';
const ROLE = 'DEVCTL_ROLE';
const SUPERVISOR = 'supervisor';
const GUARD = 'guard';
const TOOL = 'tool';

/** What a process says about its origin. */
export interface Cookie {
  /** Every project it names. More than one: the two names disagree, so it is nobody's for certain. */
  readonly projects: readonly string[];
  readonly service: string | null;
  readonly runId: string | null;
  /**
   * 'supervisor' of its project; 'guard': the process above it; 'tool': something that a supervisor runs
   * for itself (`ps`).
   */
  readonly role: 'supervisor' | 'guard' | 'tool' | null;
}

/** The variables for everything in one run, to be laid over whatever the caller's environment holds. */
export function serviceCookie(
  projectId: string,
  service: string,
  runId: string,
): Record<string, string> {
  return twice({ [PROJECT]: projectId, [SERVICE]: service, [RUN]: runId });
}

/** The variables of a project's supervisor; replaces a cookie that the caller's terminal may carry. */
export function supervisorCookie(projectId: string): Record<string, string> {
  return { ...twice({ [PROJECT]: projectId }), [ROLE]: SUPERVISOR };
}

/** The same for the guard that it is started by (`supervisor/guard.ts`). */
export function guardCookie(projectId: string): Record<string, string> {
  return { ...supervisorCookie(projectId), [ROLE]: GUARD };
}

/**
 * What a supervisor puts into its own environment once it runs, for whatever it spawns without saying
 * more. Its own block, as others read it, is the one that it was started with.
 */
export const TOOL_COOKIE: Readonly<Record<string, string>> = { [ROLE]: TOOL };

/** Every variable of a cookie, to be removed before another cookie is laid over an environment. */
export const COOKIE_VARIABLES: readonly string[] = [
  ...[PROJECT, SERVICE, RUN, ROLE].flatMap((name) => [name, CARRIER + name]),
];

function twice(variables: Readonly<Record<string, string>>): Record<string, string> {
  const both: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    both[name] = value;
    both[CARRIER + name] = value;
  }
  return both;
}

/**
 * Reads the cookie in an environment block.
 *
 * @param environ entries `NAME=value`, each ended by NUL, as in /proc/PID/environ
 * @returns null when there is none
 */
export function readCookie(environ: string): Cookie | null {
  // One search settles the usual case: both names of the project contain this one.
  if (!environ.includes(`${PROJECT}=`)) return null;
  const own = readVariable(environ, PROJECT);
  const carried = readVariable(environ, CARRIER + PROJECT);
  // Set to nothing, as scripts do to get rid of a variable, it names no project at all.
  const projects = [...new Set([own, carried].flatMap((value) => value || []))];
  if (projects.length === 0) return null;
  const role = readVariable(environ, ROLE);
  const service = readVariable(environ, SERVICE) ?? readVariable(environ, CARRIER + SERVICE);
  return {
    projects,
    service,
    runId: readVariable(environ, RUN) ?? readVariable(environ, CARRIER + RUN),
    // What a service sets itself gives it no role: it would be spared, or taken for the supervisor.
    role: service === null && isRole(role) ? role : null,
  };
}

function isRole(value: string | null): value is Cookie['role'] {
  return value === SUPERVISOR || value === GUARD || value === TOOL;
}

/**
 * Finds one variable, matched whole: `DEVCTL_RUN=` is also the end of `TURBO_DEVCTL_RUN=`, and a
 * value without its NUL may be cut short.
 */
function readVariable(environ: string, name: string): string | null {
  const entry = `${name}=`;
  for (let at = environ.indexOf(entry); at >= 0; at = environ.indexOf(entry, at + 1)) {
    if (at > 0 && environ[at - 1] !== '\0') continue;
    const end = environ.indexOf('\0', at);
    return end < 0 ? null : environ.slice(at + entry.length, end);
  }
  return null;
}
