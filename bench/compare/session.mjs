// Drives one supervisor in a folder of its own, as a user would: starts it, asks it, stops it.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { look } from '../peers/tools.mjs';

/** How long one command of a tool may take, in ms. */
const DEADLINE_MS = 60_000;

/**
 * @param found what the adapter's `find` has returned
 * @param mark an entry of the environment, `[NAME, value]`, by which the processes of this session are found again
 */
export function openSession({ adapter, found, folder, services, grace, mark, environment }) {
  const project = path.join(folder, 'project');
  mkdirSync(project);
  const { program } = found;
  const plan = adapter.prepare({ folder: project, services, grace, program, look });
  const env = { ...environment, [mark[0]]: mark[1], ...plan.env };
  const log = path.join(folder, 'tool.log');
  const run = (command, options = {}) => {
    const output = openSync(log, 'a');
    const [file, ...args] = command;
    const stdio = ['ignore', output, output];
    const child = spawn(file, args, { cwd: project, env, stdio, ...options });
    closeSync(output);
    return child;
  };
  /** Resolves with the time at which the command had ended; null where it does not end. */
  const finish = async (command) => (command ? ended(run(command)) : null);
  let foreground = null;
  return {
    project,
    isForeground: plan.foreground !== undefined,
    hasStatus: plan.status !== null,
    /** Resolves when the command has returned; at once where the tool runs in the foreground. */
    async start() {
      if (!plan.foreground) return finish(plan.start);
      // A session of its own, as a terminal would give it.
      const child = run(plan.foreground, { detached: true });
      foreground = { child, end: ended(child) };
      return null;
    },
    status: () => finish(plan.status),
    async stop() {
      if (foreground === null) return finish(plan.stop);
      const { child, end } = foreground;
      if (plan.stop) await finish(plan.stop);
      else if (child.exitCode === null && child.signalCode === null) {
        // Its number is nobody else's, because it has not been reaped.
        process.kill(-child.pid, 'SIGINT');
      }
      return end;
    },
    quit: () => finish(plan.quit),
    output: () => readFileSync(log, 'utf8'),
  };
}

function ended(child) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve(null);
    }, DEADLINE_MS);
    child.once('error', reject);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve(performance.now());
    });
  });
}
