import { devctlWith } from './devctl.ts';
import { service } from './services.ts';
import { type StandInDocker, standInDocker } from './stand-in-docker.ts';
import { type TemporaryProject, temporaryProject } from './temporary-project.ts';

/** A database, and a cache that needs it. */
const COMPOSE = 'services:\n  db: {image: x}\n  cache: {image: x, depends_on: [db]}\n';

/** A project with a service that needs the container `db`, and a docker that is a stand-in. */
export async function shop(containers: object | null = {}, compose = COMPOSE) {
  const web = service('sleeper', [], containers ? { dependsOn: ['db'] } : {});
  const manifest = {
    services: { web, lone: service('sleeper') },
    ...(containers && { containers }),
  };
  const project = await temporaryProject(manifest, { 'compose.yaml': compose });
  const docker = await standInDocker(project);
  return { project, docker, run: runner(project, docker) };
}

function runner(project: TemporaryProject, docker: StandInDocker) {
  return (...args: readonly string[]) => devctlWith(project, { env: docker.env }, ...args);
}

/** The compose services that have a container. */
export const names = ({ containers }: ReturnType<StandInDocker['state']>) =>
  containers.map(({ Name }) => Name.replace(/^\/.*_(.*)_1$/, '$1'));
export const running = ({ containers }: ReturnType<StandInDocker['state']>) =>
  containers.filter(({ State }) => 'Status' in State && State.Status === 'running').length;
/** The record of the containers of a project. */
export const record = (project: TemporaryProject) => project.file('.pids/containers.json');
