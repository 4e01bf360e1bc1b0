import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { until } from '../../support/until.ts';

/** Starts a program that is ended with the test, whatever becomes of it. */
export async function start(
  file: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
  const child = spawn(file, args, { stdio: 'ignore', ...options });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await once(child, 'spawn');
  if (child.pid === undefined) throw new Error(`${file} has no pid`);
  return { child, pid: child.pid };
}

/** The same for a fixture; resolves with the first line that it prints. */
export async function startFixture(
  name: string,
  options: SpawnOptions = {},
): Promise<{ readonly pid: number; readonly line: string }> {
  const path = fileURLToPath(new URL(`../../../fixtures/processes/${name}.mjs`, import.meta.url));
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const { child, pid } = await start(process.execPath, [path], { ...options, stdio: [...stdio] });
  let printed = '';
  child.stdout?.on('data', (data) => {
    printed += String(data);
  });
  await until(
    () => printed.includes('\n'),
    () => `${name} printed "${printed}"`,
  );
  return { pid, line: printed.slice(0, printed.indexOf('\n')) };
}

/** Ends with the test what a fixture started, each only while its number and start time agree. */
export function endWithTest(pids: Iterable<number>): void {
  const starts = new Map([...pids].map((pid) => [pid, startTime(pid)]));
  onTestFinished(() => {
    for (const [pid, start] of starts) {
      if (start !== null && startTime(pid) === start) process.kill(pid, 'SIGKILL');
    }
  });
}

/** Field 22 of stat, read without any code of ours. Null when there is no such process. */
function startTime(pid: number): string | null {
  try {
    return (
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')[19] ?? null
    );
  } catch {
    return null;
  }
}
