/** The labels on everything that compose makes for a project of devctl. */
export const PROJECT_LABEL = 'devctl.project';
/** Real path of the project folder, for people and as a part of the proof where the records are gone. */
const ROOT_LABEL = 'devctl.root';
/** The folder itself: machine, device, inode, manifest. */
const PLACE_LABEL = 'devctl.place';

/** The labels of compose, which both of its versions set. */
export const COMPOSE_PROJECT_LABEL = 'com.docker.compose.project';
export const COMPOSE_SERVICE_LABEL = 'com.docker.compose.service';

/** "True" on the container of `compose run`, which no `compose up` takes for its own. */
export const COMPOSE_ONE_OFF_LABEL = 'com.docker.compose.oneoff';

export type Labels = Readonly<Record<string, string>>;

/** By what the containers of a project are known. */
export interface ContainerMarks {
  /** The id of the project; null: `.pids` is gone, and the place decides. */
  readonly id: string | null;
  readonly root: string;
  /** Null where the folder cannot be looked at. */
  readonly place: string | null;
}

export function labelsOf({ id, root, place }: ContainerMarks): Labels {
  return {
    ...(id === null ? {} : { [PROJECT_LABEL]: id }),
    [ROOT_LABEL]: root,
    ...(place === null ? {} : { [PLACE_LABEL]: place }),
  };
}

/**
 * Tells whether something with these labels is ours: by the id, which travels with the folder, or by the folder itself,
 * which is proved where path, device and inode agree. A copy of the folder has another inode, and an id of its own.
 */
export function isOurs(labels: Labels, { id, root, place }: ContainerMarks): boolean {
  const project = labels[PROJECT_LABEL];
  if (project === undefined) return false;
  if (id !== null && project === id) return true;
  return place !== null && labels[PLACE_LABEL] === place && labels[ROOT_LABEL] === root;
}

/** The filters that together find everything that may be ours. Each is a question of its own: the engine joins filters by "and". */
export function filtersOf({ id, place }: ContainerMarks): readonly string[] {
  return [
    ...(id === null ? [] : [`label=${PROJECT_LABEL}=${id}`]),
    ...(place === null ? [] : [`label=${PLACE_LABEL}=${place}`]),
  ];
}
