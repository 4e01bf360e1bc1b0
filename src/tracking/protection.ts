import { userInfo } from 'node:os';
import { isAbsolute } from 'node:path';
import type { ProtectionSettings } from '../manifest/resolved.ts';
import type { ProtectionRules } from '../ownership/claim.ts';
import type { Person } from '../ownership/personal-programs.ts';
import { readPattern } from '../patterns/pattern.ts';
import { homeFolder } from '../processes/home-folder.ts';

/**
 * Joins what the manifest protects now with what it protected when each run began: the manifest may be gone, or another
 * one by now.
 */
export function joinProtection(
  now: ProtectionSettings,
  records: readonly { readonly protection?: ProtectionSettings }[],
): ProtectionSettings {
  const all = [now, ...records.flatMap(({ protection }) => protection ?? [])];
  return {
    patterns: [...new Set(all.flatMap(({ patterns }) => patterns))],
    byEnvironment: all.some(({ byEnvironment }) => byEnvironment),
  };
}

/** Compiles the settings, and adds the person for the built-in list. A pattern that this version refuses is left out. */
export function protectionRules({ patterns, byEnvironment }: ProtectionSettings): ProtectionRules {
  const compiled = patterns.flatMap((source) => {
    const reading = readPattern(source);
    return reading.kind === 'pattern' ? [reading.pattern] : [];
  });
  return { patterns: compiled, byEnvironment, person: thisPerson() };
}

function thisPerson(): Person {
  const runtimeDir = process.env.XDG_RUNTIME_DIR;
  const homes = new Set([homeFolder() ?? '', registeredHome()]);
  return {
    homes: [...homes].filter((home) => isAbsolute(home) && home !== '/'),
    runtimeDir: runtimeDir && isAbsolute(runtimeDir) ? runtimeDir : null,
  };
}

/** The home folder in the user database, where HOME may be another one. */
function registeredHome(): string {
  try {
    return userInfo().homedir;
  } catch {
    // A container may run as a user id that has no entry.
    return '';
  }
}
