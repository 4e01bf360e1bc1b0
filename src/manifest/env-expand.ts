import {
  MOST_PROBLEMS,
  type ParsedEnvFile,
  type Reference,
  type ValuePart,
} from './env-grammar.ts';
import { type Problem, problem } from './problem.ts';

/** Variables by name. The object has no prototype, or only its own keys are read. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The variables of an env file, and what is wrong with them where it is used. */
export interface ExpandedEnvFile {
  readonly variables: Readonly<Record<string, string>>;
  /** Required variables (`${NAME:?text}`) that are not set. */
  readonly problems: readonly Problem[];
  /** Variables that are not set, and so are replaced by nothing. */
  readonly warnings: readonly Problem[];
}

/**
 * Replaces the references in an env file. No message shows a value.
 *
 * @param outer scopes to search, in this order, after the earlier variables of the file
 */
export function expandEnvFile(
  { assignments }: ParsedEnvFile,
  outer: readonly Variables[],
): ExpandedEnvFile {
  const variables: Record<string, string> = Object.create(null);
  const scopes: readonly Variables[] = [variables, ...outer];
  const problems: Problem[] = [];
  const warnings: Problem[] = [];

  const expand = (parts: readonly ValuePart[]): string =>
    parts.map((part) => (typeof part === 'string' ? part : replace(part))).join('');
  const replace = ({ name, at, otherwise }: Reference): string => {
    const value = valueIn(scopes, name);
    if (value !== undefined && (value !== '' || !otherwise?.emptyToo)) return value;
    if (otherwise?.kind === 'default') return expand(otherwise.value);
    if (otherwise === null) {
      if (warnings.length < MOST_PROBLEMS)
        warnings.push(problem(at, [], `$${name} is not set, so it is replaced by nothing`));
      return '';
    }
    const state = value === undefined ? 'is not set' : 'is empty';
    const text = otherwise.text === '' ? '' : `: ${otherwise.text}`;
    if (problems.length < MOST_PROBLEMS) problems.push(problem(at, [], `${name} ${state}${text}`));
    return '';
  };

  for (const { name, value } of assignments) variables[name] = expand(value);
  return { variables, problems, warnings };
}

function valueIn(scopes: readonly Variables[], name: string): string | undefined {
  const scope = scopes.find((one) => Object.hasOwn(one, name) && one[name] !== undefined);
  return scope?.[name];
}
