import { basename } from 'node:path';
import { DevctlError, ExitCode, exitCodeOf } from '../errors.ts';
import { perSecond } from '../history/per-second.ts';
import { readRecentSamples } from '../history/read.ts';
import { type LiveTail, openLiveTail } from '../logs/live-tail.ts';
import { serviceLogs } from '../logs/services.ts';
import { openLogSource } from '../logs/source.ts';
import type { ManifestQuery } from '../manifest/locate.ts';
import { type OwnCommand, runOwnCommand } from '../operations/run-devctl.ts';
import { type Observation, type Observing, observeProject } from '../operations/status/observe.ts';
import { freshFailures } from '../output/monitor/failures.ts';
import { type FullScreen, openFullScreen } from '../output/monitor/full-screen.ts';
import { MOST_LINES } from '../output/monitor/log-view.ts';
import {
  type Action,
  type Effect,
  initialModel,
  type Model,
  NO_SERVICE,
} from '../output/monitor/model.ts';
import { MOST_SAMPLES, type MonitorEvent, update } from '../output/monitor/update.ts';
import { frameOf } from '../output/monitor/view.ts';
import { jsonLine } from '../output/terminal/json.ts';
import { codeOfLostReader } from '../output/terminal/lost-output.ts';
import { openSlowWriter } from '../output/terminal/slow-writer.ts';
import { type Theme, themeFor } from '../output/terminal/theme.ts';
import { DEVCTL } from '../own-command.ts';
import { openHost } from '../processes/real-host.ts';
import {
  type OpenProject,
  openProject,
  reopenProject,
  requireProject,
  steadyQuery,
} from '../project/open-project.ts';
import { terminalMessage } from '../services/hooks/desktop.ts';
import { watchStdout } from './watch-stdout.ts';

export interface MonitorOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** Runs `devctl monitor`: shows the project on the whole terminal until `q`, or prints it as JSON. */
export async function monitorCommand(options: MonitorOptions): Promise<number> {
  const project = openProject({ config: options.config });
  requireProject(project, false);
  const query = steadyQuery(project);
  if (options.json) return printObservations(query);
  requireTerminal();
  return new Monitor(project, query, themeFor(process.stdout, options.color)).run();
}

/** Feeds `update` with events, draws its model, and carries out its effects. */
class Monitor {
  readonly #project: OpenProject;
  readonly #query: ManifestQuery;
  readonly #theme: Theme;
  readonly #screen: FullScreen;
  readonly #observing: Observing;
  #model: Model;
  /** The log that the log pane shows. */
  #tail: LiveTail | undefined;
  /** The devctl command that carries out the first action. */
  #command: OwnCommand | undefined;
  #isFrameDue = false;
  #observed: Observation | null = null;
  #leave = (_code: number): void => {};
  readonly #left = new Promise<number>((resolve) => {
    this.#leave = resolve;
  });

  constructor(project: OpenProject, query: ManifestQuery, theme: Theme) {
    this.#project = project;
    this.#query = query;
    this.#theme = theme;
    const { folder } = project;
    const recent = readRecentSamples(folder, 1_000 * MOST_SAMPLES);
    const past = perSecond(recent, Date.now(), MOST_SAMPLES);
    this.#screen = openFullScreen({
      key: (key) => this.#onEvent({ kind: 'key', key }),
      resized: (size) => this.#onEvent({ kind: 'resized', size }),
      ended: (exitCode) => this.#leave(exitCode),
    });
    this.#model = initialModel(this.#screen.size(), basename(folder.root) || folder.root, past);
    this.#observing = observeProject(openHost(), query, (observation) => {
      this.#showMessages(observation);
      this.#onEvent({ kind: 'observed', observation });
    });
  }

  async run(): Promise<number> {
    try {
      return await Promise.race([this.#left, this.#observing.done.then(() => ExitCode.Ok)]);
    } finally {
      this.#close();
    }
  }

  #close(): void {
    this.#screen.close();
    this.#observing.stop();
    this.#tail?.stop();
    if (!this.#command) return;
    this.#command.release();
    const { verb, service } = this.#model.actions[0] ?? { verb: '', service: '' };
    process.stderr.write(`the ${verb} of ${service} goes on; ${DEVCTL} status shows how it went\n`);
  }

  /** Has the terminal show fresh failures on its desktop, where the manifest wants that. */
  #showMessages(observation: Observation): void {
    const { outline } = this.#project;
    const fresh = freshFailures(this.#observed, observation, Date.now());
    this.#observed = observation;
    if (outline.kind === 'absent' || !outline.notifiesDesktop) return;
    for (const event of fresh) process.stdout.write(terminalMessage(event, outline.name));
  }

  #onEvent(event: MonitorEvent): void {
    const { model, effects } = update(this.#model, event);
    this.#model = model;
    this.#drawSoon();
    for (const effect of effects) this.#carryOut(effect);
  }

  /** Draws one frame for all events of this turn. */
  #drawSoon(): void {
    if (this.#isFrameDue) return;
    this.#isFrameDue = true;
    setImmediate(() => {
      this.#isFrameDue = false;
      this.#screen.draw(frameOf(this.#model, this.#theme));
    });
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case 'quit':
        this.#leave(effect.code);
        break;
      case 'follow':
        this.#follow(effect.service);
        break;
      case 'suspend':
        this.#screen.suspend();
        break;
      case 'redraw':
        this.#screen.forget();
        this.#drawSoon();
        break;
      case 'interrupt':
        this.#command?.interrupt();
        break;
      case 'act':
        this.#act(effect.action);
    }
  }

  #follow(service: string | null): void {
    this.#tail?.stop();
    this.#tail = undefined;
    if (service === null || service === NO_SERVICE) return;
    const logged = serviceLogs(reopenProject(this.#query) ?? this.#project, []);
    const log = logged.find(({ name }) => name === service)?.log;
    if (log === undefined) return;
    this.#tail = openLiveTail({
      source: openLogSource(this.#project.folder, service, log),
      lines: MOST_LINES,
      onLines: (lines, anew) => this.#onEvent({ kind: 'lines', service, anew, lines }),
    });
  }

  #act({ verb, service }: Action): void {
    const { file: config } = this.#query;
    const words = [verb, service, ...(config === undefined ? [] : ['--config', config])];
    const command = runOwnCommand(words, (line) => this.#onEvent({ kind: 'progress', line }));
    this.#command = command;
    void command.done.then((result) => {
      this.#command = undefined;
      this.#observing.wake();
      this.#onEvent({ kind: 'ended', result });
    });
  }
}

/** Prints one document for each sample, until Ctrl-C or until the reader has gone. */
async function printObservations(query: Parameters<typeof openProject>[0]): Promise<number> {
  let exitCode: number = ExitCode.Ok;
  const end = (signalled: number): void => {
    exitCode = signalled;
    observing.stop();
  };
  const out = openSlowWriter(1, () => end(codeOfLostReader()));
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
  return exitCode;
}

/**
 * Describes the services as `status --json` does, but with the cpu share of the last second instead of the
 * whole life.
 */
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
    hint: `${DEVCTL} status; for a program: ${DEVCTL} monitor --json (a line a second)`,
  });
}
