/**
 * Prefix of the second name that each variable is set under: turbo's strict mode deletes every variable that
 * it does not know, but lets this prefix through (measured with turbo 2.11).
 */
const CARRIER = 'TURBO_';
const PROJECT = 'DEVCTL_PROJECT';
/** The id of the project, which travels with its folder. Early versions of devctl do not set it. */
const PROJECT_ID = 'DEVCTL_PROJECT_ID';
const SERVICE = 'DEVCTL_SERVICE';
const RUN = 'DEVCTL_RUN';
const ROLE = 'DEVCTL_ROLE';
const SUPERVISOR = 'supervisor';
const GUARD = 'guard';
const TOOL = 'tool';

/**
 * Our mark in the environment of a process. It survives double forks, new sessions and the death of every
 * parent. Every process inherits it, unless the environment is cleared.
 */
export interface Cookie {
  /**
   * Every project that it names. Two when its two variables disagree: then neither project claims the process by
   * its mark.
   */
  readonly projects: readonly string[];
  /** The id of the project; null where it names none, or its two variables disagree. */
  readonly projectId: string | null;
  readonly service: string | null;
  readonly runId: string | null;
  /**
   * 'supervisor': the supervisor of its project; 'guard': the process above the supervisor; 'tool': a
   * program that a supervisor runs for itself (`ps`).
   */
  readonly role: 'supervisor' | 'guard' | 'tool' | null;
}

/** The marks of a project: a `ProjectFolder` is one. */
export interface ProjectMarks {
  readonly mark: string;
  readonly id: string | null;
}

/** Builds the variables for every process of one run, to be laid over the caller's environment. */
export function serviceCookie(
  project: ProjectMarks,
  service: string,
  runId: string,
): Record<string, string> {
  return { ...projectCookie(project), ...twice({ [SERVICE]: service, [RUN]: runId }) };
}

/** Builds the variables of a program that works for a project and for none of its services. */
export function projectCookie({ mark, id }: ProjectMarks): Record<string, string> {
  return twice({ [PROJECT]: mark, ...(id === null ? {} : { [PROJECT_ID]: id }) });
}

/** Builds the variables of a project's supervisor. They replace a cookie that the caller's terminal may carry. */
export function supervisorCookie(project: ProjectMarks): Record<string, string> {
  return { ...projectCookie(project), [ROLE]: SUPERVISOR };
}

/** The one variable in which the cookie of a supervisor differs from that of its guard. */
export const OF_SUPERVISOR: Readonly<Record<string, string>> = { [ROLE]: SUPERVISOR };
/** The same, as a shell sets it. */
export const ROLE_OF_SUPERVISOR = `${ROLE}=${SUPERVISOR}`;

/** Builds the variables of the guard that starts the supervisor (`supervisor/guard.ts`). */
export function guardCookie(project: ProjectMarks): Record<string, string> {
  return { ...projectCookie(project), [ROLE]: GUARD };
}

/**
 * Variables that a running supervisor adds to its own environment, for every program that it spawns without
 * another cookie. Other processes still read the block that the supervisor was started with
 * (/proc/PID/environ, proc(5)).
 */
export const TOOL_COOKIE: Readonly<Record<string, string>> = { [ROLE]: TOOL };

/** Names of all variables of a cookie, to remove them before another cookie is laid over an environment. */
export const COOKIE_VARIABLES: readonly string[] = [
  ...[PROJECT, PROJECT_ID, SERVICE, RUN, ROLE].flatMap((name) => [name, CARRIER + name]),
];

/** The variable by which a process asks to be left alone. */
export const PROTECT_VARIABLE = 'DEVCTL_PROTECT';

/** The environment of a caller as services inherit it. */
export function inheritedEnvironment<Value>(
  env: Readonly<Record<string, Value>>,
): Record<string, Value> {
  const inherited = { ...env };
  for (const name of NOT_INHERITED) delete inherited[name];
  return inherited;
}

/**
 * Variables that speak of the caller alone. With those of systemd (sd_notify(3), sd_listen_fds(3)) a service would report
 * to the manager of the caller, or take descriptors that it does not have.
 */
const NOT_INHERITED: readonly string[] = [
  PROTECT_VARIABLE,
  'NOTIFY_SOCKET',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
  'WATCHDOG_PID',
  'WATCHDOG_USEC',
];

/** Sets each variable under both of its names. */
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
  // One search settles the usual case, because both names of the project's variable contain this text.
  if (!environ.includes(`${PROJECT}=`)) return null;
  const own = readVariable(environ, PROJECT);
  const carried = readVariable(environ, CARRIER + PROJECT);
  // Scripts set a variable to nothing to get rid of it. Then it names no project at all.
  const projects = [...new Set([own, carried].flatMap((value) => value || []))];
  if (projects.length === 0) return null;
  const ids = [PROJECT_ID, CARRIER + PROJECT_ID].map((name) => readVariable(environ, name));
  const [projectId = null, ...others] = new Set(ids.flatMap((value) => value || []));
  const role = readVariable(environ, ROLE);
  const service = readVariable(environ, SERVICE) ?? readVariable(environ, CARRIER + SERVICE);
  return {
    projects,
    projectId: others.length > 0 ? null : projectId,
    service,
    runId: readVariable(environ, RUN) ?? readVariable(environ, CARRIER + RUN),
    // A service may set the variable itself. It gets no role by it, because a stop would spare the service
    // or take it for the supervisor.
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
export function readVariable(environ: string, name: string): string | null {
  const entry = `${name}=`;
  for (let at = environ.indexOf(entry); at >= 0; at = environ.indexOf(entry, at + 1)) {
    if (at > 0 && environ[at - 1] !== '\0') continue;
    const end = environ.indexOf('\0', at);
    return end < 0 ? null : environ.slice(at + entry.length, end);
  }
  return null;
}
