// Drives one supervisor in a folder of its own, as a user would: starts it, asks it, stops it.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { look } from '../peers/tools.mjs';

/** How long one command of a tool may take, in ms. Then the command is killed, and counts as one that never returned. */
const DEADLINE_MS = 60_000;

/**
 * @param found what the adapter's `find` has returned
 * @param mark an entry of the environment, `[NAME, value]`, by which the processes of this session are found again
 */
export function openSession(given) {
  const { adapter, found, folder, services, grace, mark, environment } = given;
  const { deadlineMs = DEADLINE_MS } = given;
  const project = path.join(folder, 'project');
  mkdirSync(project);
  const { program } = found;
  const plan = adapter.prepare({ folder: project, services, grace, program, look });
  const env = { ...environment, [mark[0]]: mark[1], ...plan.env };
  const log = path.join(folder, 'tool.log');
  /** Runs a command. Its end is a promise of the time at which it had ended. */
  const run = (command, options = {}) => {
    const output = openSync(log, 'a');
    const [file, ...args] = command;
    const stdio = ['ignore', output, output];
    const child = spawn(file, args, { cwd: project, env, stdio, ...options });
    closeSync(output);
    return { child, end: endOf(child) };
  };
  const finish = async (command) => (command ? inTime(run(command), deadlineMs) : null);
  let foreground = null;
  return {
    project,
    /** Each of these resolves with the time at which the command had ended; null where there is none, or it never ends. */
    async start() {
      if (!plan.foreground) return finish(plan.start);
      // A session of its own, as a terminal would give it.
      foreground = run(plan.foreground, { detached: true });
      foreground.end.catch(() => {});
      return null;
    },
    status: () => finish(plan.status),
    async stop() {
      if (foreground === null) return finish(plan.stop);
      const { child } = foreground;
      if (plan.stop) await finish(plan.stop);
      else if (child.exitCode === null && child.signalCode === null) {
        // Its number is nobody else's, because it has not been reaped.
        process.kill(-child.pid, 'SIGINT');
      }
      return inTime(foreground, deadlineMs);
    },
    quit: () => finish(plan.quit),
    output: () => readFileSync(log, 'utf8'),
  };
}

function endOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve(performance.now()));
  });
}

function inTime({ child, end }, ms) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve(null);
    }, ms);
  });
  return Promise.race([end, late]).finally(() => clearTimeout(timer));
}
