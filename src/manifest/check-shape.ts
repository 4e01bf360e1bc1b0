import type * as z from 'zod/mini';
import { explainName, variableValue, withoutValue } from './fields.ts';
import { nearest } from './nearest.ts';
import { type Problem, problem, show, type ValuePath } from './problem.ts';
import { type Manifest, manifestSchema } from './schema.ts';
import { entriesOf, keyPositionOf, positionOf, type Tree, toValue, valueAt } from './tree.ts';

/** The outcome of the check: a manifest of the right shape, or problems. */
export interface Shape {
  /** Null when there are problems. */
  readonly manifest: Manifest | null;
  readonly problems: readonly Problem[];
}

type Issue = z.core.$ZodIssue;

/** Checks a tree against the schema. Every problem has the position of the value it is about. */
export function checkShape(tree: Tree): Shape {
  const result = manifestSchema.safeParse(toValue(tree), { error: explain, reportInput: true });
  const issues = result.error?.issues.flatMap((issue) => flatten(issue, [])) ?? [];
  const problems = [
    ...issues
      .filter((issue) => !isConsequence(issue, issues))
      .flatMap((issue) => toProblems(issue, tree)),
    ...checkPrototypeKeys(tree),
  ];
  return problems.length === 0 && result.success
    ? { manifest: result.data, problems: [] }
    : { manifest: null, problems };
}

/**
 * Reduces the issues of a union to those of the member whose type fits, because the author meant that
 * member.
 */
function flatten(issue: Issue, prefix: ValuePath): Issue[] {
  const path = [...prefix, ...pathOf(issue)];
  if (issue.code !== 'invalid_union') return [{ ...issue, path: [...path] }];
  const intended = issue.errors.find(
    (member) =>
      member.length > 0 &&
      !member.some(
        ({ code, path: inside }) =>
          inside.length === 0 && (code === 'invalid_type' || code === 'invalid_value'),
      ),
  );
  return intended?.flatMap((inner) => flatten(inner, path)) ?? [{ ...issue, path: [...path] }];
}

/**
 * True for an issue about a whole object in which a key is mistyped, because the mistyped key caused it.
 */
function isConsequence(issue: Issue, issues: readonly Issue[]): boolean {
  return (
    issue.code === 'custom' &&
    issues.some(
      ({ code, path }) => code === 'unrecognized_keys' && path.join('\0') === issue.path.join('\0'),
    )
  );
}

function toProblems(issue: Issue, tree: Tree): Problem[] {
  const path = pathOf(issue);
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(manifestSchema, path);
    return issue.keys.map((key) => unknownKey(tree, [...path, key], known));
  }
  if (issue.code === 'invalid_key') {
    const message = issue.issues[0]?.message ?? issue.message;
    const shown = path.map((step) => (typeof step === 'string' ? withoutValue(step) : step));
    return [problem(keyPositionOf(tree, path), shown, message)];
  }
  const typed = issue.code === 'invalid_value' ? issue.input : undefined;
  const options = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  const suggestion = typeof typed === 'string' ? nearest(typed, options) : null;
  return [problem(positionOf(tree, path), path, issue.message, suggestion)];
}

function unknownKey(tree: Tree, path: ValuePath, known: readonly string[]): Problem {
  const key = String(path.at(-1));
  const meant = known.includes(ELSEWHERE[key] ?? '') ? ELSEWHERE[key] : undefined;
  const suggestion = meant ?? nearest(key, known);
  if (suggestion === 'ready' && meant !== undefined) {
    const message = `unknown key; an example of what is meant: "ready": {"http": "http://localhost:3000"}`;
    return problem(keyPositionOf(tree, path), path, message);
  }
  const message =
    suggestion === null ? `unknown key; known are ${known.join(', ')}` : 'unknown key';
  return problem(keyPositionOf(tree, path), path, message, suggestion);
}

/** Keys of compose files, process managers and orchestrators, with ours for the same thing. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  apps: 'services',
  processes: 'services',
  tasks: 'services',
  cmd: 'command',
  exec: 'command',
  run: 'command',
  script: 'command',
  entrypoint: 'command',
  args: 'command',
  dir: 'cwd',
  working_dir: 'cwd',
  environment: 'env',
  healthcheck: 'ready',
  health: 'ready',
  readinessProbe: 'ready',
  startupProbe: 'ready',
  livenessProbe: 'live',
  stop_grace_period: 'stop',
  stop_signal: 'stop',
};

/** Lists the keys that the schema allows for the object at a path. */
function keysAt(schema: z.core.$ZodType, path: ValuePath): string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const [step, ...rest] = path;
  switch (def.type) {
    case 'optional':
    case 'default':
      return keysAt(def.innerType, path);
    case 'union':
      return def.options.flatMap((option) => keysAt(option, path));
    case 'array':
      return step === undefined ? [] : keysAt(def.element, rest);
    case 'record':
      return step === undefined ? [] : keysAt(def.valueType, rest);
    case 'object': {
      if (step === undefined) return Object.keys(def.shape);
      const inner = def.shape[step];
      return inner === undefined ? [] : keysAt(inner, rest);
    }
    default:
      return [];
  }
}

/**
 * Checks keys called `__proto__`, which zod skips silently in records. A service or a group cannot have
 * this name, but a variable can.
 */
function checkPrototypeKeys(tree: Tree): Problem[] {
  const names: ValuePath[] = [['services'], ['groups']];
  const services = [...entriesOf(valueAt(tree, 'services')).keys()];
  const environments = [['env'], ...services.map((name) => ['services', name, 'env'])];
  const has = (path: ValuePath) => entriesOf(valueAt(tree, ...path)).has('__proto__');
  return [
    ...names.filter(has).map((path) => {
      const full = [...path, '__proto__'];
      return problem(keyPositionOf(tree, full), full, explainName({ input: '__proto__' }));
    }),
    ...environments.filter(has).flatMap((path) => {
      const full = [...path, '__proto__'];
      const value = valueAt(tree, ...full);
      const result = variableValue.safeParse(value && toValue(value));
      return (result.error?.issues ?? []).map(({ message }) =>
        problem(positionOf(tree, full), full, message),
      );
    }),
  ];
}

/**
 * Words the message of an issue for which the schema has no message of its own. `zod/mini` has none either: it says
 * "Invalid input".
 */
function explain(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const expected = TYPE_NAMES[issue.expected] ?? issue.expected;
      return issue.input === undefined
        ? `is missing: give ${expected}`
        : `expected ${expected}, got ${show(issue.input)}`;
    }
    case 'invalid_value':
      return `expected ${oneOf(issue.values?.map(show) ?? [])}, got ${show(issue.input)}`;
    case 'too_small':
      if (issue.origin === 'string' || issue.origin === 'array') return 'must not be empty';
      return `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}, got ${show(issue.input)}`;
    case 'too_big':
      return issue.origin === 'string'
        ? `is longer than ${issue.maximum} characters`
        : `must be at most ${issue.maximum}, got ${show(issue.input)}`;
    default:
      return undefined;
  }
}

function oneOf(options: readonly string[]): string {
  const [last = '', ...others] = options.toReversed();
  return others.length > 0 ? `${others.toReversed().join(', ')} or ${last}` : last;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function pathOf({ path }: Issue): ValuePath {
  return path.map((step) => (typeof step === 'number' ? step : String(step)));
}
