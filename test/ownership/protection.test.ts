import { describe, expect, test } from 'vitest';
import type {
  OpenFileEvidence,
  OwnershipFacts,
  ProtectionRules,
} from '../../src/ownership/claim.ts';
import { claimProcesses } from '../../src/ownership/claims.ts';
import { serviceCookie } from '../../src/ownership/cookie.ts';
import { compilePattern } from '../../src/patterns/pattern.ts';
import { marksOf, projectOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const ROOT = '/home/me/app';
const OURS = serviceCookie(marksOf('app'), 'web', 'aa11');
const PROTECTED = { ...OURS, DEVCTL_PROTECT: '1' };

const ROWS: readonly Row[] = [
  { pid: 21, ticks: 900_000, cwd: ROOT },
  { pid: 100, argv: 'npm run agent', environ: OURS, cwd: ROOT },
];

function rules(over: Partial<ProtectionRules> = {}): ProtectionRules {
  const person = { homes: ['/home/me'], runtimeDir: null };
  return { patterns: [compilePattern('agent')], byEnvironment: false, person, ...over };
}

/** Facts that differ from the usual ones. Null: nothing is protected. */
type Over = Partial<Omit<OwnershipFacts, 'protection'>> & {
  readonly protection?: ProtectionRules | null;
};

function judge(rows: readonly Row[], { protection = rules(), ...over }: Over = {}) {
  const run = { service: 'web', runId: 'aa11', intentTicks: 90, pidNamespace: 'pid:[1]' };
  const facts: OwnershipFacts = {
    project: projectOf('app', ROOT),
    root: ROOT,
    self: identity(21),
    supervisor: null,
    runs: [{ ...run, bootId: 'boot-1', leader: identity(100) }],
    witnessed: [],
    legacyPids: [],
    ...(protection ? { protection } : {}),
    ...over,
  };
  const { claims, spared } = claimProcesses(facts, snapshotOf([...ROWS, ...rows]));
  return {
    claimed: [...claims.keys()].sort((a, b) => a - b),
    spared: spared.map(({ process, veto }) => `${process.identity.pid} ${veto.kind}`),
  };
}

const AGENT: Row = {
  pid: 101,
  ppid: 100,
  sid: 101,
  pgid: 101,
  argv: 'agent --serve',
  environ: OURS,
};

describe('what the rules protect is left alone although it is ours', () => {
  test.each<[string, readonly Row[], Over, readonly number[], readonly string[]]>([
    ['a pattern', [AGENT], {}, [100], ['101 protected']],
    ['a leader, never', [], {}, [100], []],
    [
      'a process below a protected one',
      [AGENT, { pid: 102, ppid: 101, sid: 101, argv: 'sleep', environ: OURS }],
      {},
      [100],
      ['101 protected', '102 protected'],
    ],
    [
      'a process that listens on a declared port, never',
      [AGENT],
      { portHolders: new Set([101]) },
      [100, 101],
      [],
    ],
    ['nothing with --unprotected', [AGENT], { protection: null }, [100, 101], []],
    [
      'the environment, where the manifest says so',
      [{ ...AGENT, argv: 'x', environ: PROTECTED }],
      { protection: rules({ byEnvironment: true }) },
      [100],
      ['101 protected'],
    ],
    [
      'the environment, where the manifest does not say so: nobody can tell',
      [{ ...AGENT, argv: 'x', environ: PROTECTED }],
      {},
      [100],
      ['101 in-doubt'],
    ],
    [
      'a command line that is too long for the pattern: nobody can tell',
      [{ ...AGENT, argv: `node -- --x ${'x'.repeat(1_200)}` }],
      { protection: rules({ patterns: [compilePattern('(\\d)-\\1')] }) },
      [100],
      ['101 in-doubt'],
    ],
    [
      'a command line that is too long for one pattern, and matches another one',
      [{ ...AGENT, argv: `agent -- --x ${'x'.repeat(1_200)}` }],
      { protection: rules({ patterns: [compilePattern('(\\d)-\\1'), compilePattern('^agent')] }) },
      [100],
      ['101 protected'],
    ],
    [
      'the gpg-agent of the person',
      [{ ...AGENT, argv: 'gpg-agent --homedir /home/me/.gnupg --daemon' }],
      { protection: rules({ patterns: [] }) },
      [100],
      ['101 protected'],
    ],
  ])('%s', (_name, rows, over, claimed, spared) => {
    expect(judge(rows, over)).toEqual({ claimed, spared });
  });
});

describe('a declared port is evidence', () => {
  const openFiles = (forced: boolean): OpenFileEvidence => ({
    logs: new Map(),
    logsFolder: '/none',
    stdinFolder: '/none',
    listening: [{ pid: 300, port: 3000, service: 'web' }],
    forced,
  });
  const server: Row = { pid: 300, argv: 'node server.js', cwd: ROOT };
  const shell: Row = { pid: 200, argv: '-bash', cwd: ROOT };
  test.each<[string, readonly Row[], boolean, readonly number[]]>([
    ['for a process of nobody', [server], false, [100, 300]],
    [
      'not for the job of a shell',
      [shell, { ...server, ppid: 200, sid: 200, pgid: 300 }],
      false,
      [100],
    ],
    [
      'for the job of a shell with --force',
      [shell, { ...server, ppid: 200, sid: 200, pgid: 300 }],
      true,
      [100, 300],
    ],
    [
      'not for a program under a debugger',
      [
        { pid: 200, argv: 'gdb --args node' },
        { ...server, ppid: 200 },
      ],
      false,
      [100],
    ],
  ])('%s', (_name, rows, forced, claimed) => {
    const over = { protection: rules({ patterns: [] }), openFiles: openFiles(forced) };
    expect(judge(rows, over).claimed).toEqual(claimed);
  });
});
