import { basename } from 'node:path';
import { DevctlError, ExitCode, exitCodeOf } from '../errors.ts';
import { perSecond } from '../history/per-second.ts';
import { readRecentSamples } from '../history/read.ts';
import { type LiveTail, openLiveTail } from '../logs/live-tail.ts';
import { serviceLogs } from '../logs/services.ts';
import { openLogSource } from '../logs/source.ts';
import { type OwnCommand, runOwnCommand } from '../operations/run-devctl.ts';
import { type Observation, observeProject } from '../operations/status/observe.ts';
import { openFullScreen } from '../output/monitor/full-screen.ts';
import { MOST_LINES } from '../output/monitor/log-view.ts';
import { type Effect, initialModel, NOBODYS } from '../output/monitor/model.ts';
import { MOST_SAMPLES, type MonitorEvent, update } from '../output/monitor/update.ts';
import { frameOf } from '../output/monitor/view.ts';
import { jsonLine } from '../output/terminal/json.ts';
import { openSlowWriter } from '../output/terminal/slow-writer.ts';
import { themeFor } from '../output/terminal/theme.ts';
import { openHost } from '../processes/real-host.ts';
import { openProject, reopened, requireProject } from '../project/open-project.ts';
import { watchStdout } from './watch-stdout.ts';

export interface MonitorOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** `devctl monitor`: what goes on, on the whole terminal, until `q`. */
export async function monitorCommand(options: MonitorOptions): Promise<number> {
  const query = { cwd: process.cwd(), config: options.config };
  const project = openProject(query);
  requireProject(project, false);
  if (options.json) return printObservations(query);
  requireTerminal();
  const theme = themeFor(process.stdout, options.color);
  const { root } = project.folder;
  const recent = readRecentSamples(project.folder, 1_000 * MOST_SAMPLES);
  const past = perSecond(recent, Date.now(), MOST_SAMPLES);
  let leave = (_: number): void => {};
  const left = new Promise<number>((resolve) => {
    leave = resolve;
  });
  const screen = openFullScreen({
    key: (key) => hear({ kind: 'key', key }),
    resized: (size) => hear({ kind: 'resized', size }),
    ended: (code) => leave(code),
  });
  let model = initialModel(screen.size(), basename(root) || root, past);
  let logWatch: LiveTail | undefined;
  let command: OwnCommand | undefined;
  let isDrawing = false;

  const draw = (): void => {
    // Many events may come at once: one frame shows them all.
    if (isDrawing) return;
    isDrawing = true;
    setImmediate(() => {
      isDrawing = false;
      screen.draw(frameOf(model, theme));
    });
  };
  const hear = (event: MonitorEvent): void => {
    const next = update(model, event);
    model = next.model;
    draw();
    for (const effect of next.effects) carryOut(effect);
  };
  const follow = (service: string | null): void => {
    logWatch?.stop();
    logWatch = undefined;
    if (service === null || service === NOBODYS) return;
    const logged = serviceLogs(reopened(query) ?? project, []);
    const log = logged.find(({ name }) => name === service)?.log;
    if (log === undefined) return;
    logWatch = openLiveTail({
      source: openLogSource(project.folder, service, log),
      lines: MOST_LINES,
      hear: (lines, anew) =>
        hear({
          kind: 'lines',
          service,
          anew,
          lines,
        }),
    });
  };
  const carryOut = (effect: Effect): void => {
    switch (effect.kind) {
      case 'quit':
        leave(effect.code);
        break;
      case 'follow':
        follow(effect.service);
        break;
      case 'suspend':
        screen.suspend();
        break;
      case 'redraw':
        screen.forget();
        draw();
        break;
      case 'interrupt':
        command?.interrupt();
        break;
      case 'act': {
        const { verb, service } = effect.action;
        const config = options.config === undefined ? [] : ['--config', options.config];
        command = runOwnCommand([verb, service, ...config], (line) =>
          hear({ kind: 'progress', line }),
        );
        void command.done.then((result) => {
          command = undefined;
          observing.wake();
          hear({ kind: 'ended', result });
        });
      }
    }
  };
  const observing = observeProject(openHost(), query, (observation) =>
    hear({ kind: 'observed', observation }),
  );
  try {
    return await Promise.race([left, observing.done.then(() => ExitCode.Ok)]);
  } finally {
    screen.close();
    observing.stop();
    logWatch?.stop();
    if (command) {
      command.release();
      const { verb, service } = model.actions[0] ?? { verb: '', service: '' };
      process.stderr.write(`devctl ${verb} ${service} goes on; devctl status shows how it went\n`);
    }
  }
}

/** What a screen would show, a document a look, until Ctrl-C or until nobody reads any more. */
async function printObservations(query: Parameters<typeof openProject>[0]): Promise<number> {
  let code: number = ExitCode.Ok;
  const end = (signalled: number): void => {
    code = signalled;
    observing.stop();
  };
  const out = openSlowWriter(1, () => end(ExitCode.Ok));
  const observing = observeProject(
    openHost(),
    query,
    ({ status, sample, sampled }: Observation) => {
      if (sampled)
        void out.write(jsonLine({ ...status, ...sample, services: described(status, sample) }));
    },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => end(exitCodeOf(signal)));
  }
  const unwatch = watchStdout(1, out);
  await observing.done;
  unwatch();
  return code;
}

/** As `status --json` has them, with the processor's share of the last second instead of the whole life's. */
function described(status: Observation['status'], sample: Observation['sample']) {
  return status.services.map((service) => ({
    ...service,
    cpuPercent: Math.round(10 * (sample.services[service.name]?.cpuPercent ?? 0)) / 10,
  }));
}

function requireTerminal(): void {
  const { stdin, stdout } = process;
  const isThere = stdin.isTTY === true && stdout.isTTY === true;
  const isAble = process.env.TERM !== 'dumb' && (stdout.columns ?? 0) > 0;
  if (isThere && isAble) return;
  const why = !isThere
    ? 'its input and output are not both one'
    : process.env.TERM === 'dumb'
      ? 'TERM=dumb is one that cannot move its cursor'
      : 'this one says that it has no columns';
  throw new DevctlError('usage', `devctl monitor needs a terminal: ${why}`, {
    hint: 'devctl status, or for a program devctl status --json, devctl monitor --json (a line a second)',
  });
}
