/*
 * The files of this folder: the manifest in the words of other programs. Nothing of the project is run.
 *
 *   source            the shapes of what is exported, and of the result
 *   collect           reads a manifest and its env files
 *   secrets           tells which variables are never written
 *   systemd           user units of systemd
 *   systemd-values    the parts of a unit that devctl and systemd have in common
 *   systemd-environment  the environment of a unit
 *   systemd-words     quotes words for a unit and for a shell
 *   environment-file  reads an env file as systemd does
 *   procfile          a Procfile for foreman
 */
import type { ResolvedService } from '../manifest/resolved.ts';

/** One place that sets variables of a service. Of several, the later wins. */
export type Layer =
  | {
      readonly kind: 'file';
      /** Absolute path. */
      readonly file: string;
      /** The same, from the project folder. */
      readonly shown: string;
      readonly text: string;
      readonly names: readonly string[];
    }
  | {
      readonly kind: 'env';
      readonly names: readonly string[];
      /** Those of `.devctl.local.json`, which nobody commits. */
      readonly local: readonly string[];
    };

/** A service, with where each of its variables is from. */
export interface ExportedService {
  readonly service: ResolvedService;
  /** Its folder, from the project folder; empty for that one. */
  readonly folder: string;
  readonly layers: readonly Layer[];
  /** The compose services that it needs. */
  readonly containers: readonly string[];
}

/** All that an export needs. */
export interface ExportSource {
  readonly name: string;
  readonly services: readonly ExportedService[];
  /** PATH of the caller. Empty: there is none. */
  readonly path: string;
  /** Limits on everything together that end it. */
  readonly projectLimits: readonly string[];
}

/** A part of the manifest that the other program cannot do, or does otherwise. */
export interface ExportNote {
  /** Null: it concerns every service. */
  readonly service: string | null;
  /** The key of the manifest, or the name of a variable. */
  readonly key: string;
  readonly text: string;
}

/** Some lines of a unit, and what they leave out. */
export interface UnitPart {
  readonly lines: readonly string[];
  readonly notes: readonly ExportNote[];
}

export interface ExportedFile {
  readonly name: string;
  readonly text: string;
}

export interface Exported {
  readonly files: readonly ExportedFile[];
  readonly notes: readonly ExportNote[];
}

/** The layer that decides about a variable; undefined: none of the manifest. */
export function decidingLayer({ layers }: ExportedService, name: string): Layer | undefined {
  return layers.findLast(({ names }) => names.includes(name));
}

/** Formats a note for a line of its own. */
export function noteInWords({ service, key, text }: ExportNote): string {
  return `${service === null ? '' : `${service}: `}${key}: ${text}`;
}
