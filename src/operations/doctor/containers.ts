import { examineManifest } from '../../manifest/load.ts';
import { DEVCTL } from '../../own-command.ts';
import { monotonicMs } from '../../processes/clock.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { hadContainers } from '../../project/place/containers-copy.ts';
import { type DoctorFinding, finder } from './finding.ts';

/** Checks the engine, compose and the compose files of a project that has containers, or had some. */
export async function checkContainerMeans({
  folder,
  outline,
}: OpenProject): Promise<readonly DoctorFinding[]> {
  const isWanted = outline.kind !== 'absent' && outline.hasContainers;
  if (!isWanted && !hadContainers(folder)) return [];
  const { readContainersRecord } = await import('../../containers/record.ts');
  const { Engine } = await import('../../containers/engine.ts');
  const find = finder('containers');
  const { env } = process;
  const read = readContainersRecord(folder);
  const record = read.kind === 'record' ? read.record : null;
  const engine = new Engine({
    env,
    place: record?.engine ?? null,
    cookie: null,
    untilMs: Number.POSITIVE_INFINITY,
    nowMs: monotonicMs,
  });
  const findings: DoctorFinding[] = [];
  if (read.kind === 'problem')
    findings.push(find('problem', `${read.problem.path}: ${read.problem.reason}`));
  if (record?.state === 'intent')
    findings.push(
      find(
        'problem',
        'a start was killed while it brought up containers',
        `${DEVCTL} stop --containers`,
      ),
    );
  const settings =
    outline.kind === 'found'
      ? (examineManifest({ file: outline.file }).manifest?.containers ?? null)
      : null;
  const level = settings?.required === false && record === null ? 'warning' : 'problem';
  const id = await engine.identify();
  if (id.kind === 'failure') findings.push(find(level, `${id.failure.why}; ${id.failure.hint}`));
  else if (record && record.engine.id !== id.value)
    findings.push(
      find(
        'problem',
        `another engine answers at ${record.engine.endpoint} than the one that has the containers`,
      ),
    );
  else findings.push(find('ok', `an engine answers at ${engine.endpoint}`));
  if (settings === null) return findings;
  const { findCompose } = await import('../../containers/compose.ts');
  const { checkCompose } = await import('../../containers/check.ts');
  const command = await findCompose(settings.command, env);
  findings.push(
    command === null
      ? find(level, 'neither "docker compose" nor "docker-compose" can be run')
      : find('ok', `compose is run as ${command.join(' ')}`),
  );
  const why = checkCompose(settings, folder.root, Object.keys(settings.needs), env);
  findings.push(
    why === null
      ? find('ok', 'the compose files: no problems')
      : find('problem', why, `${DEVCTL} check`),
  );
  return findings;
}
