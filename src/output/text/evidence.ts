import type { EvidenceKind } from '../../ownership/evidence-kinds.ts';

/** The meaning of each kind of evidence about a process. */
const MEANING: { readonly [Kind in EvidenceKind]: string } = {
  leader: 'it is the command of the service',
  cgroup: 'it is in the control group of the run',
  ledger: 'devctl has seen earlier that it is ours',
  cookie: 'its environment names the run',
  session: 'it is in the session of the run',
  group: 'it is in the process group of the run',
  descendant: 'a process of ours started it',
  'founding-file': 'a file in .pids has its pid',
  output: 'it has the log or the stdin of a service open',
  port: 'it listens on a declared port, and works in the project',
  pattern: 'it looks like a dev tool of this project',
};

/** Explains the evidence that some processes have, one line a kind. */
export function legendOf(
  processes: readonly { readonly evidence: readonly { readonly kind: EvidenceKind }[] }[],
): readonly string[] {
  const shown = new Set(processes.flatMap(({ evidence }) => evidence.map(({ kind }) => kind)));
  return Object.entries(MEANING)
    .filter(([kind]) => shown.has(kind as EvidenceKind))
    .map(([kind, meaning]) => `  ${kind.padEnd(LONGEST_KIND)}  ${meaning}`);
}

const LONGEST_KIND = Math.max(...Object.keys(MEANING).map((kind) => kind.length));
