import { type Framework, frameworksIn } from './frameworks.ts';
import { portInEnv } from './procfile.ts';
import type { ProposedService } from './proposal.ts';
import { below, firstText, type Repository } from './repository.ts';

/** A port that a service will listen on, and the file or the flag that says so. */
interface FoundPort {
  readonly port: number;
  readonly from: string;
  /** True where it may be another one by then, because the program takes the next when this one is taken. */
  readonly movesOn: boolean;
}

/**
 * Adds ports and readiness. A port is named only where it is certain: a start waits for each, and refuses to begin where
 * another program has it.
 */
export function withPorts(
  repository: Repository,
  services: readonly ProposedService[],
): readonly ProposedService[] {
  const found = services.map((service) =>
    service.oneShot || service.ready || service.ports ? [] : portsOfService(repository, service),
  );
  const counts = new Map<number, number>();
  for (const { port } of found.flat()) counts.set(port, (counts.get(port) ?? 0) + 1);
  const isShared = ({ port }: FoundPort): boolean => (counts.get(port) ?? 0) > 1;
  return services.map((service, index) => {
    const own = found[index] ?? [];
    const certain = own.filter((one) => !isShared(one) || !one.movesOn);
    const twice = certain.filter(isShared).map(({ port }) => port);
    const unsure = own.filter((one) => !certain.includes(one));
    const ports = [
      ...new Set(certain.filter((one) => !twice.includes(one.port)).map(({ port }) => port)),
    ];
    const notes = [
      ...certain
        .filter(({ port }) => ports.includes(port))
        .map(({ port, from }) => `port ${port}: ${from}`),
      ...twice.map(
        (port) => `port ${port} is another service's, too: give one of them another port`,
      ),
      ...unsure.map(
        ({ port }) =>
          `no port: it takes ${port} or the next that is free; with a fixed one: "ports": [${port}]`,
      ),
    ];
    const line = readyLineOf(service);
    return {
      ...service,
      ...(ports.length > 0 ? { ports } : {}),
      ...(ports.length === 0 && line !== null && !service.ready && !service.oneShot
        ? { ready: { log: line } }
        : {}),
      notes: [...service.notes, ...notes],
    };
  });
}

function readyLineOf({ text }: ProposedService): string | null {
  const lines = frameworksIn(text).flatMap(({ readyLine }) => readyLine ?? []);
  return lines.length === 1 && !/[&|]/.test(text) ? (lines[0] ?? null) : null;
}

/** Finds the ports of a service: by the frameworks that it runs, else in the file that Node runs. */
function portsOfService(repository: Repository, given: ProposedService): readonly FoundPort[] {
  const inFile = given.envFile === '.env' ? portInEnv(repository) : null;
  const service =
    inFile === null ? given : { ...given, env: { PORT: String(inFile), ...given.env } };
  const frameworks = frameworksIn(service.text).filter(({ port }) => port !== undefined);
  const found = frameworks.map((framework) => portOf(repository, service, framework));
  if (found.includes(null)) return [];
  const known = found.flatMap((one) => one ?? []);
  if (known.length > 0) return known;
  const { text, env = {} } = service;
  if (/\$\{?PORT\b/.test(text) && /^\d{2,5}$/.test(env.PORT ?? ''))
    return [{ port: Number(env.PORT), from: 'the variable PORT', movesOn: false }];
  const inSource = portInSource(repository, service);
  return inSource ? [inSource] : [];
}

/** @returns null where the port is computed, so that nobody can tell */
function portOf(
  repository: Repository,
  service: ProposedService,
  framework: Framework,
): FoundPort | null {
  const { port = 0, flags = [], portVariable, config, movesOn = false } = framework;
  const given = flagIn(service, flags);
  if (given !== undefined)
    return given === null ? null : { port: given, from: 'its command line', movesOn: false };
  const variable =
    portVariable === undefined ? null : variableOf(repository, service, portVariable);
  if (variable !== null) return { ...variable, movesOn: false };
  const file = config && firstText(repository, service.cwd ?? '.', config.files);
  const text = withoutLineComments(file?.text ?? '');
  const inBlock = config?.block === undefined ? null : fieldsOfBlock(text, config.block);
  const configured = file && config.port.exec(inBlock ?? (config.block ? '' : text))?.groups;
  if (file && configured) {
    const name = configured.variable;
    const given = name === undefined ? null : variableOf(repository, service, name);
    const inFile = name === undefined ? null : portInEnvFile(repository, service.cwd ?? '.', name);
    const byDefault = { port: Number(configured.port), from: file.path };
    return { ...(given ?? inFile ?? byDefault), movesOn: false };
  }
  // A port that is computed: `port: Number(env.PORT)`. A preview server's is of no concern.
  if (inBlock === null ? /\bport\s*[:=(]/.test(withoutPreview(text)) : /\bport\b/.test(inBlock))
    return null;
  return { port, from: `the default of ${framework.name}`, movesOn };
}

function withoutLineComments(text: string): string {
  return text.replace(/^[ \t]*(?:\/\/|#).*$/gm, '');
}

function withoutPreview(text: string): string {
  return text.replace(/\b(?:preview|hmr)\s*:\s*\{[^}]{0,2000}\}/g, '');
}

/** The fields of a block of a configuration, without the blocks in it: hot reload and proxies have ports of their own. */
function fieldsOfBlock(text: string, block: string): string | null {
  const start = new RegExp(`\\b${block}["']?\\s*:\\s*\\{`).exec(text);
  if (!start) return null;
  let found = '';
  let depth = 1;
  for (let at = start.index + start[0].length; at < text.length && depth > 0; at += 1) {
    const character = text[at] ?? '';
    if (character === '{') depth += 1;
    else if (character === '}') depth -= 1;
    else if (depth === 1) found += character;
  }
  return found;
}

/** Finds the value of a flag. Undefined: it is not given; null: it is computed. */
function flagIn(
  { text, env = {} }: ProposedService,
  flags: readonly string[],
): number | null | undefined {
  for (const flag of flags) {
    const isPattern = flag.includes('(');
    const matcher = new RegExp(`(?:^|\\s)${flag}${isPattern ? ' ?' : '[= ]\\s*'}(\\S+)`);
    const value = matcher.exec(text)?.[1]?.replace(/^["']|["']$/g, '');
    if (value === undefined) continue;
    if (/^\d{2,5}$/.test(value)) return Number(value);
    const name = /^\$\{?(\w+)(?::-(\d{2,5}))?\}?$/.exec(value);
    const known = env[name?.[1] ?? ''] ?? name?.[2];
    if (known !== undefined && /^\d{2,5}$/.test(known)) return Number(known);
    // `runserver` is a word of its own: what follows it may be the next command.
    if (!isPattern || value.startsWith('$')) return null;
  }
  return undefined;
}

/** Finds the value of the variable that decides on the port: in the command line, in its environment, in its `.env`. */
function variableOf(
  repository: Repository,
  { text, env = {}, cwd = '.' }: ProposedService,
  name: string,
): Pick<FoundPort, 'port' | 'from'> | null {
  const inText = new RegExp(`(?:^|\\s)${name}=["']?(\\d{2,5})\\b`, 'm').exec(text)?.[1];
  if (inText !== undefined) return { port: Number(inText), from: 'its command line' };
  if (/^\d{2,5}$/.test(env[name] ?? ''))
    return { port: Number(env[name]), from: `the variable ${name}` };
  if (!/react-scripts/.test(text)) return null;
  return portInEnvFile(repository, cwd, 'PORT');
}

/** The port that a variable has in the env files that dotenv reads for development. */
function portInEnvFile(
  repository: Repository,
  folder: string,
  variable: string,
): Pick<FoundPort, 'port' | 'from'> | null {
  const line = new RegExp(
    String.raw`^[ \t]*(?:export\s+)?${variable}\s*=\s*["']?(\d{2,5})["']?\s*$`,
    'm',
  );
  for (const name of ['.env.development.local', '.env.local', '.env.development', '.env']) {
    const path = below(folder, name);
    const found = line.exec(repository.texts.get(path) ?? '')?.[1];
    if (found !== undefined) return { port: Number(found), from: path };
  }
  return null;
}

const NODE =
  /(?:^|[\s;&|/])(?:node|nodemon|tsx|ts-node|ts-node-dev|tsnd|bun|deno|swc-node|babel-node|node-dev)(?![\w-])/m;

/** The files that a command line runs, as far as it names them. */
export function entryFiles(text: string): readonly string[] {
  const named = [
    ...text.matchAll(/(?:^|[\s"'=])(\.{0,2}[\w@./-]+\.[cm]?[jt]sx?)(?=$|[\s"';&|)])/gm),
  ];
  const files = named.flatMap(([, file = '']) => (/\.config\./.test(file) ? [] : [file]));
  if (/\bnest start\b/.test(text)) files.push('src/main.ts');
  // `node .` and `nodemon` run what "main" of package.json names; the usual names are tried.
  if (NODE.test(text) && files.length === 0) files.push('index.js', 'server.js', 'src/index.js');
  return files;
}

/** Finds the port that a server of Node listens on, in the file that is run: express, fastify, node:http. */
function portInSource(repository: Repository, service: ProposedService): FoundPort | null {
  const { cwd = '.', text, env = {} } = service;
  if (!NODE.test(text) && !/\bnest start\b/.test(text)) return null;
  for (const file of entryFiles(text)) {
    const path = below(cwd, file);
    const source = repository.texts.get(path);
    if (source === undefined) continue;
    const found = listenedPort(withoutLineComments(source));
    if (found === null) continue;
    const { port, variable } = found;
    if (variable === null) return port === null ? null : { port, from: path, movesOn: false };
    const given = variableOf(repository, service, variable);
    if (given) return { ...given, movesOn: false };
    // Only dotenv and Node's own flag read the file.
    const isEnvRead =
      /dotenv|--env-file|loadEnvFile/.test(`${source}${text}`) ||
      env[variable] !== undefined ||
      /\bbun\b/.test(text);
    const inFile = isEnvRead ? portInEnvFile(repository, cwd, variable) : null;
    if (inFile) return { ...inFile, movesOn: false };
    return port === null ? null : { port, from: path, movesOn: false };
  }
  return null;
}

/** `process.env.PORT || 3000`, `process.env.PORT ?? '3000'`, `Number(process.env.PORT) || 3000`; or without a default. */
const VARIABLE =
  /(?:process\.env|Bun\.env|import\.meta\.env|\benv)(?:\.|\[["'])(\w*PORT)\b(?:["']\])?(?:\s*\)?\s*(?:\|\||\?\?)\s*["'`]?(\d{2,5})\b)?/;

/** The port in the source of a server. */
interface Listening {
  /** Null: the variable alone decides. */
  readonly port: number | null;
  /** The variable that goes before; null: none. */
  readonly variable: string | null;
}

/** Reads which port a source text listens on; null where it does not, or nobody can tell. */
function listenedPort(source: string): Listening | null {
  const call =
    /\.listen\(\s*(?:\{[^{}]*?\bport\s*(?::\s*)?)?|\bserve\(\s*\{[^{}]*?\bport\s*(?::\s*)?/.exec(
      source,
    );
  if (!call) return null;
  const rest = source.slice(call.index + call[0].length, call.index + call[0].length + 120);
  const name =
    /^([A-Za-z_$][\w$]*)\s*[,)}]/.exec(rest)?.[1] ?? (/^\s*[,}]/.test(rest) ? 'port' : null);
  if (name === null) return portOfExpression(rest);
  const declared = new RegExp(
    `\\b(?:const|let|var)\\s+${name.replaceAll('$', '\\$')}(?:\\s*:\\s*\\w+)?\\s*=\\s*([^;\\n]+)`,
  ).exec(source)?.[1];
  return declared === undefined ? null : portOfExpression(declared);
}

/** @param text begins with the expression, and may go on behind it */
function portOfExpression(text: string): Listening | null {
  const [expression = ''] = text.split(/[,;\n]/, 1);
  const byVariable = VARIABLE.exec(expression);
  if (byVariable) return { port: toPort(byVariable[2]), variable: byVariable[1] ?? 'PORT' };
  const port = toPort(/^\s*["'`]?(\d{2,5})["'`]?\s*[)}]?/.exec(expression)?.[1]);
  return port === null ? null : { port, variable: null };
}

function toPort(digits: string | undefined): number | null {
  const port = Number(digits);
  return port > 0 && port <= 65_535 ? port : null;
}
