/**
 * What is published: each tarball has all that a user needs and nothing of the workshop.
 *
 * Each check collects what offends and expects nothing, so that a failure names every offender at once.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { filesOf, root, tarballs, workspacePackages } from './project.ts';
import { closureOf, readManifest } from './workspace.ts';

const unpacked = mkdtempSync(join(tmpdir(), 'grapevine-tarballs-'));
afterAll(() => rmSync(unpacked, { recursive: true }));

const packages = workspacePackages.map(({ place, manifest: { name } }) => {
  const tarball = tarballs().get(name) as string;
  execFileSync('tar', ['-xzf', tarball, '-C', unpacked]);
  const folder = join(unpacked, name.replace('/', '-'));
  execFileSync('mv', [join(unpacked, 'package'), folder]);
  return { name, place, tarball, folder, files: filesOf(folder), manifest: readManifest(join(folder, 'package.json')) };
});

const read = (folder: string, file: string): string => readFileSync(join(folder, file), 'utf8');
const repository = readManifest(join(root, 'package.json')).repository.url;
const address = repository.replace(/^git\+/, '').replace(/[.]git$/, '');

test('every package of the workspace is packed', () => {
  expect(packages.length).toBeGreaterThanOrEqual(7);
});

describe.each(packages)('$name', ({ name, place, tarball, folder, files, manifest }) => {
  test('has LICENSE and README', () => {
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']));
    expect(read(folder, 'LICENSE')).toBe(read(root, 'LICENSE'));
    expect(read(folder, 'README.md')).toMatch(new RegExp(`^# ${name}\n`));
  });

  test('has nothing of the workshop', () => {
    const kept = /^(LICENSE|README[.]md|package[.]json|(src|dist)\/.+[.]ts|dist\/.+[.](js|map)|bin\/[a-z]+[.]js)$/;
    const ofTests = /[.]test[.]|(^|\/)testing\//;
    expect(files.filter((file) => !kept.test(file) || ofTests.test(file))).toEqual([]);
  });

  test('says where it comes from and what it may be used for', () => {
    expect(manifest).toMatchObject({
      license: 'MIT',
      type: 'module',
      sideEffects: false,
      repository: { type: 'git', url: repository, directory: place },
    });
    expect(manifest).not.toHaveProperty('private');
  });

  test('has no condition but types and default, and every file that these name', () => {
    for (const targets of Object.values(manifest.exports)) expect(Object.keys(targets)).toEqual(['types', 'default']);
    const named = [manifest.types, ...Object.values(manifest.exports).flatMap((targets) => Object.values(targets))].map(
      (target) => posix.normalize(target),
    );
    expect(named.filter((target) => !files.includes(target))).toEqual([]);
  });

  test('has links in its README that lead to files of this version, by an address that works anywhere', () => {
    const links = [...read(folder, 'README.md').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string);
    const own = `${address}/blob/v${manifest.version}/`;
    const offences = links.filter((link) =>
      link.startsWith(own)
        ? !existsSync(join(root, link.slice(own.length).split('#')[0] as string))
        : !/^https:\/\/|^#/.test(link),
    );
    expect(offences).toEqual([]);
    expect(links.filter((link) => link.startsWith(own))).not.toEqual([]);
  });

  test('has maps that lead to sources in it', () => {
    const maps = files.filter((file) => file.endsWith('.map'));
    const offences = maps.flatMap((map) => {
      const { sources } = JSON.parse(read(folder, map)) as { readonly sources: readonly string[] };
      return sources.map((source) => posix.join(dirname(map), source)).filter((source) => !files.includes(source));
    });
    expect(maps).not.toEqual([]);
    expect(offences).toEqual([]);
  });

  test('passes publint', () => {
    const said = execFileSync(process.execPath, [join(root, 'node_modules/publint/src/cli.js'), tarball, '--strict'], {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1' },
    });
    expect(said).toContain('All good!');
  });
});

test('a service loads one file for each package, and one more for what two entry points share', () => {
  const frontDoor = closureOf(['@grapevine/node'], workspacePackages);
  const modules = packages
    .filter(({ name }) => frontDoor.has(name))
    .map(({ name, files }) => [name, files.filter((file) => file.endsWith('.js')).length]);
  expect(Object.fromEntries(modules)).toEqual({
    '@grapevine/core': 1,
    '@grapevine/wire': 1,
    '@grapevine/transport': 3,
    '@grapevine/actors': 1,
    '@grapevine/node': 1,
  });
});
