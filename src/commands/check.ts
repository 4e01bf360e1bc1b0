import { basename } from 'node:path';
import { DevctlError, ExitCode } from '../errors.ts';
import { type Examination, examineManifest, loadManifest } from '../manifest/load.ts';
import { formatPath, type Problem } from '../manifest/problem.ts';
import { printJson } from '../output/json.ts';

/**
 * `devctl check`: validates the manifest and starts nothing.
 *
 * @returns 0, or with `json` also 2 when there are problems
 * @throws DevctlError with all problems, without `json`
 */
export async function check(options: { config?: string; json?: boolean }): Promise<number> {
  const query = { cwd: process.cwd(), config: options.config };
  if (options.json === true) return tellJson(query);
  const { file, services, groups } = loadManifest(query);
  const counted = [
    count(Object.keys(services).length, 'service'),
    ...(Object.keys(groups).length > 0 ? [count(Object.keys(groups).length, 'group')] : []),
  ];
  process.stdout.write(`✓ ${basename(file)}: ${counted.join(', ')}: no problems\n`);
  return ExitCode.Ok;
}

function tellJson(query: { cwd: string; config: string | undefined }): number {
  const answer = examine(query);
  const report = { ok: answer.problems.length === 0, ...answer };
  printJson(report);
  return report.ok ? ExitCode.Ok : ExitCode.Usage;
}

function examine(query: { cwd: string; config: string | undefined }) {
  try {
    const { place, problems }: Examination = examineManifest(query);
    return { file: place.file, problems: problems.map(toJson) };
  } catch (error) {
    if (!(error instanceof DevctlError)) throw error;
    const nowhere = { file: null, line: null, column: null, path: '', suggestion: null };
    return { file: null, problems: [{ ...nowhere, message: error.message }] };
  }
}

function toJson({ at, path, message, suggestion, unsupported }: Problem) {
  return { ...at, path: formatPath(path), message, suggestion, unsupported };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
