import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { cleanEnvironment } from './clean-environment.ts';
import { markerPreload, repositoryRoot } from './paths.ts';

const SOURCE = join(repositoryRoot, 'fixtures', 'incident');

/**
 * Installs the incident workspace once for each lockfile, below the repository's node_modules/.cache, so
 * that it goes with the clone and no tool of the repository looks into it. Two at once do no harm.
 *
 * @returns the folder with the installed workspace, for copying only.
 */
export async function installIncident(): Promise<string> {
  const lock = readFileSync(join(SOURCE, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex').slice(0, 12);
  const cache = join(repositoryRoot, 'node_modules', '.cache', 'devctl-incident');
  const installed = join(cache, hash);
  if (existsSync(installed)) return installed;

  const draft = join(cache, `${hash}-${process.pid}`);
  mkdirSync(cache, { recursive: true });
  copySources(draft);
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts'];
  await execa('npm', ['ci', ...flags], { cwd: draft, env: cleanEnvironment(), extendEnv: false });
  try {
    renameSync(draft, installed);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(installed)) throw error;
  }
  return installed;
}

/** Copies the sources as they are now and the installed packages to `folder`. */
export async function copyIncident(folder: string): Promise<void> {
  const installed = await installIncident();
  copySources(folder);
  const packages = join(folder, 'node_modules');
  cpSync(join(installed, 'node_modules'), packages, { recursive: true, verbatimSymlinks: true });
}

function copySources(folder: string): void {
  const ours = /\/(node_modules|\.pids|\.logs|\.turbo)$|\/\.devctl\.local\.json$/;
  cpSync(SOURCE, folder, { recursive: true, filter: (path) => !ours.test(path) });
}

/** The `.devctl.local.json` for a copy with ports of its own. */
export function incidentPorts(orchestrator: number, web: number): string {
  const agents = ['scaffold', 'validation', 'e2e', 'integration', 'deployment'];
  const env = { ORCHESTRATOR_PORT: String(orchestrator) };
  const services = {
    orchestrator: {
      env,
      ports: [orchestrator],
      ready: { http: `http://127.0.0.1:${orchestrator}/api/v1/health` },
    },
    ...Object.fromEntries(agents.map((agent) => [`${agent}-agent`, { env }])),
    web: {
      env: { WEB_PORT: String(web) },
      ports: [web],
      ready: { http: `http://127.0.0.1:${web}/` },
    },
  };
  return `${JSON.stringify({ settle: 0, services }, null, 2)}\n`;
}

/**
 * The environment for whatever is started in a copy of the incident: every Node program in it holds the
 * marker, also below turbo, whose strict mode lets NODE_OPTIONS through.
 */
export function incidentEnvironment(): Record<string, string> {
  return {
    NODE_OPTIONS: `--require=${JSON.stringify(markerPreload)}`,
    TURBO_TELEMETRY_DISABLED: '1',
  };
}
