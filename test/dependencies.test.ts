/**
 * What comes from elsewhere is what docs/dependencies.md says, exactly: the page, every package.json and the lockfile agree.
 *
 * Each check collects what offends and expects nothing, or compares whole lists, so that a failure names every offender.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = join(__dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

type Versions = Readonly<Record<string, string>>;

/** A package.json, or the lockfile's word on it or on an installed package. */
interface Manifest {
  readonly name?: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
  readonly optionalDependencies?: Versions;
  readonly peerDependencies?: Versions;
}

interface Locked extends Manifest {
  /** For a package of our own, where it is. For others, where it must come from; left out, that is the registry in use. */
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

const lockfile = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, Locked>> };
const locked = new Map(Object.entries(lockfile.packages));
const workspace = JSON.parse(read('package.json')) as Manifest & {
  readonly overrides: Versions;
  readonly workspaces: readonly string[];
};

/** Places of our own packages, as the lockfile has them: `packages/core`, `actors`. */
const ours = [...locked.keys()].filter((place) => place !== '' && !place.includes('node_modules/'));
const manifests = ours.map((place) => ({ place, manifest: JSON.parse(read(`${place}/package.json`)) as Manifest }));
const ownNames = new Set(manifests.map(({ manifest }) => manifest.name));

const nameAt = (place: string): string => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
const foreign = [...locked].filter(([place, { link }]) => place.includes('node_modules/') && link !== true);

/** Where Node.js finds a package from a place: in the nearest node_modules that has it. */
function find(from: string, name: string): string | undefined {
  for (let at = from; ;) {
    const place = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (locked.has(place)) return place;
    if (at === '') return undefined;
    at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')));
  }
}

/** How many other packages come with the one at a place. */
function brings(start: string): number {
  const reached = new Set([start]);
  for (const place of reached) {
    const { dependencies, optionalDependencies, peerDependencies } = locked.get(place) as Locked;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const found = find(place, name);
      if (found !== undefined) reached.add(found);
    }
  }
  return reached.size - 1;
}

/** The rows of a section's table, a list of cells each. Links stand for their text. */
function rowsOf(title: string): string[][] {
  const section = read('docs/dependencies.md').split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| (.+) \|$/gm)]
    .map(([, cells]) => (cells as string).split(' | ').map((cell) => cell.replace(/^\[([^\]]+)\]\(.*\)$/, '$1')))
    .slice(2);
}

/** What the page must say of a dependency that a place of ours has: name, version, licence, how many it brings. */
function factsOf(place: string, name: string): string[] {
  const found = find(place, name) as string;
  const { version, license } = locked.get(found) as Locked;
  return [name, version, license as string, String(brings(found))];
}

const sorted = <T>(items: Iterable<T>): T[] => [...items].sort((a, b) => (String(a) < String(b) ? -1 : 1));

describe('docs/dependencies.md', () => {
  test('has what ships, with who uses it', () => {
    const users = new Map<string, string[]>();
    const facts = new Map<string, string[]>();
    for (const { place, manifest } of manifests)
      for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
        if (ownNames.has(name)) continue;
        users.set(name, [...(users.get(name) ?? []), place.replace('packages/', '')]);
        facts.set(name, factsOf(place, name));
      }
    const rows = rowsOf('What ships').map(([name, version, licence, , count, by]) => [
      name,
      version,
      licence,
      count,
      by,
    ]);
    expect(rows).toEqual(
      sorted(facts.keys()).map((name) => [...(facts.get(name) as string[]), users.get(name)?.join(', ')]),
    );
  });

  test('has what we work with', () => {
    const rows = rowsOf('What we work with').map(([name, version, licence, , count]) => [
      name,
      version,
      licence,
      count,
    ]);
    expect(rows).toEqual(sorted(Object.keys(workspace.devDependencies ?? {})).map((name) => factsOf('', name)));
    for (const { manifest } of manifests) expect(manifest.devDependencies).toBeUndefined();
  });

  test('gives a reason and a keeper for each', () => {
    const rows = ['What ships', 'What we work with'].flatMap(rowsOf);
    expect(rows.filter((cells) => cells.some((cell) => cell.trim() === ''))).toEqual([]);
  });

  test('has every install script', () => {
    const scripts = foreign.filter(([, { hasInstallScript }]) => hasInstallScript === true);
    expect(rowsOf('Install scripts').map(([name]) => name)).toEqual(sorted(scripts.map(([place]) => nameAt(place))));
  });

  test('has every override', () => {
    const rows = rowsOf('Overrides').map(([name, version]) => [name, version]);
    expect(rows).toEqual(sorted(Object.entries(workspace.overrides)));
  });
});

describe('the lockfile', () => {
  test('has what each package.json asks for, and each asks for one version', () => {
    const fields = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const;
    const offences = [{ place: '', manifest: workspace as Manifest }, ...manifests].flatMap(({ place, manifest }) =>
      fields.flatMap((field) => {
        expect([place, locked.get(place)?.[field]]).toEqual([place, manifest[field]]);
        return Object.entries(manifest[field] ?? {}).filter(([name, version]) => {
          const found = find(place, name);
          const entry = locked.get(found ?? '');
          const is = entry?.link === true ? locked.get(entry.resolved as string) : entry;
          return found === undefined || is?.version !== version || !/^\d+\.\d+\.\d+$/.test(version);
        });
      }),
    );
    expect(offences).toEqual([]);
  });

  test('has a digest of every package, of SHA-512', () => {
    expect(foreign.length).toBeGreaterThan(500);
    expect(foreign.filter(([, { integrity = '' }]) => !/^sha512-[\w+/]{86}==$/.test(integrity))).toEqual([]);
  });

  test('names no place: all comes from the registry in use, and the digests say whether it is the same', () => {
    expect(foreign.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });
});

test('install scripts are not run, what is added is pinned, and the lockfile stays free of places', () => {
  expect(sorted(read('.npmrc').trim().split('\n'))).toEqual([
    'engine-strict=true',
    'ignore-scripts=true',
    'omit-lockfile-registry-resolved=true',
    'save-exact=true',
  ]);
});
