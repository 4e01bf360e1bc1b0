import type { ProjectMarks } from '../../src/ownership/cookie.ts';
import type { ProjectIdentity } from '../../src/ownership/whose-cookie.ts';

/** The marks of a project that has no id. */
export function marksOf(mark: string): ProjectMarks {
  return { mark, id: null };
}

/** The identity of such a project, which tells its cookies from others. */
export function projectOf(mark: string, root = '/'): ProjectIdentity {
  return {
    paths: [root],
    marks: new Set([mark]),
    id: null,
    variant: '',
    idsElsewhere: new Set(),
    groupNames: new Set(),
  };
}
