import { isSecret } from './secrets.ts';
import {
  decidingLayer,
  type Exported,
  type ExportedService,
  type ExportNote,
  type ExportSource,
  noteInWords,
} from './source.ts';
import { literalWord } from './systemd-words.ts';

/**
 * Writes a Procfile that node-foreman and ruby-foreman run the same: a line for each service. Its folder, its variables
 * and the absence of a PORT stand before its command, where `init` finds them again.
 */
export function toProcfile(source: ExportSource): Exported {
  const all = source.services.map((exported) => entry(exported));
  const taken = new Set<string>();
  const entries = all.map((one) => {
    const isTwice = taken.has(one.name);
    taken.add(one.name);
    return isTwice ? { ...one, line: null, notes: [twice(one.service), ...one.notes] } : one;
  });
  const notes = entries.flatMap((one) => one.notes);
  const lines = entries.flatMap(({ name, line, notes: own }) => [
    ...own.map((note) => `# ${noteInWords(note)}`),
    ...(line === null ? [] : [`${name}: ${line}`]),
  ]);
  return { files: [{ name: 'Procfile', text: lines.map((line) => `${line}\n`).join('') }], notes };
}

interface Entry {
  readonly service: string;
  readonly name: string;
  /** Null: it has none. */
  readonly line: string | null;
  readonly notes: readonly ExportNote[];
}

function entry(exported: ExportedService): Entry {
  const { service, folder } = exported;
  const name = service.name.replaceAll('.', '-');
  const note = (key: string, text: string): ExportNote => ({ service: service.name, key, text });
  const { command, oneShot, autostart } = service;
  const text =
    typeof command === 'string' ? command.trim() : command.map((one) => literalWord(one)).join(' ');
  const missing = /[\r\n]/.test(text)
    ? note('command', 'left out: it has several lines, and a Procfile one for each process')
    : oneShot
      ? note('oneShot', 'left out: foreman ends everything when it ends')
      : autostart
        ? null
        : note('autostart', 'left out: foreman starts every line');
  if (missing) return { service: service.name, name, line: null, notes: [missing] };
  const { words, notes } = environment(exported);
  const before = [
    ...(folder === '' ? [] : [`cd ${literalWord(folder)} || exit; `]),
    ...(service.env.PORT === undefined ? ['unset PORT; '] : []),
    ...(words.length === 0 ? [] : [`export ${words.join(' ')}; `]),
  ];
  return {
    service: service.name,
    name,
    line: before.join('') + withBraces(text),
    notes: [
      ...(name === service.name ? [] : [note('name', `a Procfile knows no ".": it is ${name}`)]),
      ...notes,
      ...(typeof command === 'string' && QUOTES.test(text) && /\$[A-Za-z_]/.test(text)
        ? [note('command', 'ruby-foreman replaces $NAME in it, also where a shell would not')]
        : []),
      ...unmapped(exported).map((key) => note(key, 'no Procfile has it')),
    ],
  };
}

/** The variables of a service that stand before its command, and those that foreman sets otherwise. */
function environment(exported: ExportedService) {
  const { service, layers } = exported;
  const note = (key: string, text: string): ExportNote => ({ service: service.name, key, text });
  const words: string[] = [];
  const notes: ExportNote[] = [];
  for (const [name, value] of Object.entries(service.env)) {
    const layer = decidingLayer(exported, name);
    // Foreman gives each process another PORT, whichever .env says.
    const isOurs = layer?.kind === 'env' || name === 'PORT';
    if (layer?.kind === 'file' && !isOurs) {
      if (layer.shown === '.env' && !isPlain(layer.text, name, value))
        notes.push(note(name, 'foreman reads another value in .env than devctl'));
      continue;
    }
    if (!/^[A-Za-z_]\w*$/.test(name) || /[\r\n]/.test(value))
      notes.push(note(`env.${name}`, 'no Procfile takes such a name or value'));
    else if (isSecret(exported, name))
      notes.push(note(`env.${name}`, 'is not written, because it may be a secret: set it in .env'));
    else {
      words.push(`${name}=${literalWord(value)}`);
    }
  }
  const others = layers.flatMap((one) =>
    one.kind === 'file' && one.shown !== '.env' ? one.shown : [],
  );
  for (const file of new Set(others))
    notes.push(note('envFile', `foreman reads only .env by itself; with -e .env,${file} this too`));
  return { words, notes };
}

/** Tells whether a line of an env file means the same to every program: nothing in it is special. */
function isPlain(text: string, name: string, value: string): boolean {
  const lines = text.split(/\r?\n/).filter((line) => line.startsWith(`${name}=`));
  const last = lines.at(-1)?.slice(name.length + 1) ?? '';
  const inner = /^(["']?)([^'"\\$#`]*)\1$/.exec(last)?.[2];
  return inner === value && inner.trim() === inner;
}

/** Within these a name in braces may mean something else. */
const QUOTES = /['\\]/;

/** ruby-foreman replaces `$NAME` in the text of a command before the shell sees it, and leaves `${NAME}` to the shell. */
function withBraces(command: string): string {
  if (QUOTES.test(command)) return command;
  return command.replaceAll(/\$\$|\$([A-Za-z_]\w*)/g, (all, name?: string) =>
    name === undefined ? all : `\${${name}}`,
  );
}

function unmapped({ service, containers }: ExportedService): readonly string[] {
  const { dependsOn, ready, live, restart, limits, resources, stop, tty, on } = service;
  return [
    ...(Object.keys(dependsOn).length + containers.length > 0 ? ['dependsOn'] : []),
    ...(ready === null ? [] : ['ready']),
    ...(live === null ? [] : ['live']),
    ...(restart.policy === 'no' ? [] : ['restart']),
    ...(limits.length > 0 || resources.openFiles !== null || resources.core !== null
      ? ['limits']
      : []),
    ...(stop.signal === 'SIGTERM' ? [] : ['stop.signal']),
    ...(stop.command === null ? [] : ['stop.command']),
    ...(Object.keys(on).length > 0 || stop.stopped !== undefined ? ['on'] : []),
    ...(tty ? ['tty'] : []),
  ];
}

function twice(service: string): ExportNote {
  return { service, key: 'name', text: 'left out: another service has its name in a Procfile' };
}
