import type { ReportedProcess, StopReport } from '../../stopping/report.ts';
import { formatDateAndClock } from '../terminal/clock.ts';
import { formatDuration } from '../terminal/durations.ts';
import { formatPort } from '../terminal/port.ts';
import { countInWords } from '../text/words.ts';
import { type Html, html } from './html.ts';

/** Most rows of a table, so that a browser opens the page at once; `.pids/last-stop.json` has all of them. */
const MOST_ROWS = 2_000;
/** Most processes of a stop that are shown unfolded. */
const OPEN_ROWS = 12;

/** Shows the last stop: the processes that it ended, how, and how sure it is that nothing is left. */
export function lastStop(stop: StopReport): Html {
  const { processes, survivors, spared, ports, problems } = stop;
  const killed = processes.filter(({ endedBy }) => endedBy === 'SIGKILL').length;
  const beganMs = Date.parse(stop.at);
  const began = Number.isNaN(beganMs) ? stop.at : formatDateAndClock(beganMs);
  const what = stop.scope === null ? 'everything' : stop.scope.join(', ');
  const capabilities = Object.entries(stop.capabilities)
    .map(([name, one]) => `${name} ${one.held ? 'yes' : `no${one.why ? ` (${one.why})` : ''}`}`)
    .join(', ');
  const taken = ports.filter(({ free }) => !free);
  const facts: readonly (readonly [string, string])[] = [
    ['Began', `${began}${stop.forced ? ', with --force' : ''}`],
    ['Was to stop', what],
    ...(stop.why === null ? [] : [['Because', stop.why] as const]),
    ['Took', formatDuration(stop.tookMs)],
    [
      'Ended',
      `${countInWords(processes.length - survivors.length, 'process', 'processes')}${killed > 0 ? `, ${killed} of them by SIGKILL` : ''}`,
    ],
    ...(ports.length > 0
      ? [
          [
            'Ports',
            taken.length === 0
              ? `${ports.map(formatPort).join(', ')} free`
              : taken
                  .map((one) => `${formatPort(one)} held by ${one.holder ?? 'somebody'}`)
                  .join('; '),
          ] as const,
        ]
      : []),
    ...(stop.containers ? [['Containers', containersInWords(stop.containers)] as const] : []),
    ['Held by', capabilities],
  ];
  return html`<p class="${`proof ${survivors.length > 0 ? 'bad' : 'good'}`}">${proofInHtml(stop)}</p>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${survivors.length > 0 ? html`<h3>Still alive then</h3>${survivorTable(survivors)}` : null}
${problems.length > 0 ? html`<ul class="notes">${problems.map((problem) => html`<li>${problem}</li>`)}</ul>` : null}
${processes.length > 0 ? html`<h3>Every process, and why it was ours</h3>${byService(stop)}` : null}
${spared.length > 0 ? sparedTable(spared) : null}`;
}

function containersInWords({
  containers,
  networks,
  unknown,
}: NonNullable<StopReport['containers']>): string {
  const all = [
    ...containers.map(({ service, outcome }) => `${service} ${outcome}`),
    ...networks.map(({ name, removed }) => `network ${name} ${removed ? 'removed' : 'left'}`),
    ...(unknown === null ? [] : [unknown]),
  ];
  return all.join(', ') || 'none were there';
}

function proofInHtml({ proof: { strength, why, scans }, survivors, scope }: StopReport): Html {
  if (survivors.length > 0) {
    const alive = countInWords(survivors.length, 'process was', 'processes were');
    return html`<strong>Not everything could be ended:</strong> ${alive} still alive.`;
  }
  const of = scope === null ? '' : ` of ${scope.join(', ')}`;
  const looked = countInWords(scans, 'look', 'looks');
  return strength === 'complete'
    ? html`<strong>${`Nothing${of} was left.`}</strong> The proof is complete: what the services started was held from the first spawn to the last of ${looked}.`
    : html`<strong>${`Nothing more${of} could be found.`}</strong> The proof is best effort, after ${looked}: ${why ?? 'why is not known'}.`;
}

function byService(stop: StopReport): readonly Html[] {
  const names = [...new Set(stop.processes.map(({ service }) => service))];
  let room = MOST_ROWS;
  return names.map((name) => {
    const own = stop.processes.filter(({ service }) => service === name);
    const summaryOf = stop.services.find((service) => service.name === name);
    const killed = own.filter(({ endedBy }) => endedBy === 'SIGKILL').length;
    const parts = [
      countInWords(own.length, 'process', 'processes'),
      ...(summaryOf
        ? [
            `${summaryOf.outcome === 'survived' ? 'survived' : 'stopped'} in ${formatDuration(summaryOf.tookMs)}`,
          ]
        : []),
      ...(killed > 0 ? [`${killed} by SIGKILL`] : []),
    ];
    const shown = own.slice(0, room);
    room -= shown.length;
    const more = own.length - shown.length;
    const title = name ?? 'Of no service';
    const body = html`${processTable(title, shown)}${more > 0 ? html`<p>${`${more} more are in .pids/last-stop.json.`}</p>` : null}`;
    const summary = html`<summary><b>${title}</b> ${parts.join(', ')}</summary>`;
    return stop.processes.length <= OPEN_ROWS
      ? html`<details open>${summary}${body}</details>`
      : html`<details>${summary}${body}</details>`;
  });
}

function processTable(title: string, processes: readonly ReportedProcess[]): Html {
  const rows = processes.map(
    ({ pid, command, evidence, endedBy, endedAfterMs }) =>
      html`<tr><td class="number">${pid}</td><td class="command"><code>${command}</code></td><td>${reasons(evidence)}</td><td>${endedAfterMs === null ? 'alive' : (endedBy ?? 'by itself')}</td><td class="number">${endedAfterMs === null ? '–' : formatDuration(endedAfterMs)}</td></tr>`,
  );
  return html`<div class="scroll" role="region" aria-label="${`Processes of ${title}`}" tabindex="0"><table><thead><tr><th scope="col" class="number">Pid</th><th scope="col">Command</th><th scope="col">Why ours</th><th scope="col">Ended by</th><th scope="col" class="number">After</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** Shows the kinds of evidence, with the details folded. */
function reasons(evidence: ReportedProcess['evidence']): Html {
  const kinds = [...new Set(evidence.map(({ kind }) => kind))].join(', ');
  const details = evidence.map(({ kind, detail }) => html`<li>${kind}: ${detail}</li>`);
  return html`<details class="why"><summary>${kinds || 'not known'}</summary><ul>${details}</ul></details>`;
}

function survivorTable(survivors: StopReport['survivors']): Html {
  const rows = survivors.map(
    ({ pid, service, command, why }) =>
      html`<tr><td class="number">${pid}</td><td>${service ?? '–'}</td><td class="command"><code>${command}</code></td><td>${why}</td></tr>`,
  );
  return html`<div class="scroll" role="region" aria-label="Survivors" tabindex="0"><table><thead><tr><th scope="col" class="number">Pid</th><th scope="col">Of</th><th scope="col">Command</th><th scope="col">Why</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function sparedTable(spared: StopReport['spared']): Html {
  const rows = spared
    .slice(0, MOST_ROWS)
    .map(
      ({ pid, command, why }) =>
        html`<tr><td class="number">${pid}</td><td class="command"><code>${command}</code></td><td>${why}</td></tr>`,
    );
  return html`<details><summary><b>Left alone</b> ${countInWords(spared.length, 'process', 'processes')} that something pointed to</summary><div class="scroll" role="region" aria-label="Left alone" tabindex="0"><table><thead><tr><th scope="col" class="number">Pid</th><th scope="col">Command</th><th scope="col">Why it was left alone</th></tr></thead><tbody>${rows}</tbody></table></div></details>`;
}
