import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { devctl, startDevctl } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { temporaryProject } from '../support/temporary-project.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The first example of each section of docs/json.md. */
const sections = new Map<string, unknown>(
  readFileSync(join(repositoryRoot, 'docs', 'json.md'), 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [name = '', ...rest] = section.split('\n');
      const example = /```json\n(.*?)```/s.exec(rest.join('\n'))?.[1];
      return [name, JSON.parse(example ?? 'null')];
    }),
);

/** The paths that only the document has or only the page. */
function differences(found: unknown, example: unknown, path: string): string[] {
  const isName = typeof example === 'string' && /^[A-Z]/.test(example) && sections.has(example);
  const told = isName ? sections.get(example) : example;
  if (Array.isArray(found)) {
    if (!Array.isArray(told)) return [`${path} is a list`];
    // An empty example refers to another section in words.
    return told.length === 0 ? [] : found.flatMap((one) => differences(one, told[0], `${path}[]`));
  }
  const fields = asFields(found);
  if (found === null || !fields) {
    const isAlike = found === null || typeof found === typeof told;
    return isAlike ? [] : [`${path} is a ${typeof found}`];
  }
  const shown = asFields(told);
  if (!shown) return [`${path} is an object`];
  if (Object.keys(shown).length === 0) return [];
  const names = new Set([...Object.keys(fields), ...Object.keys(shown)]);
  return [...names].flatMap((name) => {
    const place = `${path}.${name}`;
    if (name === 'version') return fields[name] === 1 ? [] : [`${place} is not 1`];
    if (!(name in shown)) return [`${place} is missing on the page`];
    return name in fields
      ? differences(fields[name], shown[name], place)
      : [`there is no ${place}`];
  });
}

function asFields(value: unknown): Fields | null {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Fields) : null;
}

test('every command prints with --json what docs/json.md says', async () => {
  await using project = await temporaryProject({
    services: {
      web: {
        command: 'sleep 1000; true',
        limits: { processes: 1 },
        restart: 'on-failure',
      },
      talker: { command: 'while :; do echo says something; sleep 0.2; done' },
    },
  });
  const problems: string[] = [];
  const compare = (name: string, text: string): void => {
    const document: unknown = JSON.parse(text);
    if (asFields(document)?.version !== 1) problems.push(`${name} begins with no version`);
    problems.push(...differences(document, sections.get(name), name));
  };
  const printed = async (name: string, ...args: readonly string[]): Promise<void> => {
    const { stdout, stderr } = await devctl(project, ...args, '--json');
    if (stdout === '') problems.push(`${args.join(' ')} has printed nothing: ${stderr}`);
    else compare(name, stdout);
  };
  await printed('start', 'start', '--ttl', '1h');
  await printed('restart', 'restart', 'web');
  await printed('start --apply', 'start', '--apply', '--dry-run');
  await printed('wait', 'wait', 'web', '--timeout', '0');
  for (const name of ['status', 'tree', 'adopt', 'doctor', 'check', 'sweep']) {
    await printed(name, name);
  }
  await printed('send', 'send', 'web', 'text');
  await printed('stop', 'stop', '--dry-run');
  await printed('error', 'status', 'nobody');
  await printed('error', 'no-such-command');
  await printed('logs', 'logs', 'talker', '-n', '1');
  const left = await devctl(project, 'run', '--json', '--', 'sh', '-c', 'sleep 50 & true');
  compare('run', left.stderr.split('\n').find((line) => line.startsWith('{')) ?? '');

  const monitor = startDevctl(project, {}, 'monitor', '--json');
  for await (const line of monitor) {
    compare('monitor', line);
    break;
  }
  await monitor;
  await printed('report', 'report');
  await printed('stop', 'stop');

  const up = startDevctl(project, {}, 'up', '--json');
  const kinds = new Set<string>();
  for await (const line of up) {
    const { type, ...document } = JSON.parse(line) as { type: string };
    if (type === 'line') compare('logs', JSON.stringify(document));
    else compare(type === 'report' ? 'up' : `up ${type}`, line);
    kinds.add(type);
    if (kinds.has('line') && kinds.has('breach')) up.kill('SIGTERM');
  }
  expect([...kinds].sort()).toEqual(['breach', 'change', 'line', 'report']);
  project.write('.devctl.json', '{ "services": { "web": { "comand": "x" } } }');
  await printed('check', 'check');
  expect(problems).toEqual([]);
});
