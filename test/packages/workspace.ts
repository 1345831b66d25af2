/** The packages of the workspace as their manifests tell of them: where they are, and which of them a package needs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license: string;
  readonly repository: { readonly type: string; readonly url: string; readonly directory?: string };
  readonly types: string;
  readonly sideEffects: boolean;
  /** By entry point: what each condition leads to. */
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly files: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export interface Package {
  /** Relative to the top of the repository: `packages/core`, `actors`. */
  readonly place: string;
  readonly manifest: Manifest;
}

export const readManifest = (file: string): Manifest => JSON.parse(readFileSync(file, 'utf8')) as Manifest;

/** @param root the top of the repository */
export function packagesOf(root: string): readonly Package[] {
  const places = [...readdirSync(join(root, 'packages'), { withFileTypes: true })]
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `packages/${name}`);
  return [...places, 'actors'].map((place) => ({ place, manifest: readManifest(join(root, place, 'package.json')) }));
}

/** @returns the names of these packages and of all packages of ours that they need */
export function closureOf(names: readonly string[], packages: readonly Package[]): ReadonlySet<string> {
  const byName = new Map(packages.map(({ manifest }) => [manifest.name, manifest]));
  const closure = new Set(names);
  for (const name of closure)
    for (const dependency of Object.keys(byName.get(name)?.dependencies ?? {}))
      if (byName.has(dependency)) closure.add(dependency);
  return closure;
}
