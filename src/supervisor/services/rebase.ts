import type { ResolvedService } from '../../manifest/resolved.ts';
import { rebasePath, rebasePathList } from '../../project/place/rebase-path.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { ServiceEntry } from './entry.ts';

type Request = NonNullable<ServiceEntry['request']>;
type Variables = Readonly<Record<string, string>>;

/** A service after its project folder was moved, so that a restart finds its files. Its command stays as it is. */
export function rebaseService(service: ResolvedService, from: string, to: string): ResolvedService {
  return {
    ...service,
    cwd: rebasePath(service.cwd, from, to),
    env: rebaseVariables(service.env, from, to),
  };
}

/** The request of a start after the move, which holds for all its services. */
export function rebaseRequest(request: Request, from: string, to: string): Request {
  return {
    ...request,
    env: rebaseVariables(request.env, from, to),
    logsDir: rebasePath(request.logsDir, from, to),
  };
}

/** A record after the move: the service has the same files open, under their new paths. */
export function rebaseRecord(record: ServiceRecord, from: string, to: string): ServiceRecord {
  return {
    ...record,
    cwd: rebasePath(record.cwd, from, to),
    log: rebasePath(record.log, from, to),
    stdin: record.stdin && rebasePath(record.stdin, from, to),
  };
}

function rebaseVariables(variables: Variables, from: string, to: string): Variables {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, rebasePathList(value, from, to)]),
  );
}
