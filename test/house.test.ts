/**
 * The house holds: what docs/architecture.md says of places, names and versions, checked on the tracked files.
 *
 * Each check collects what offends and expects nothing, so that a failure names every offender at once.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = join(__dirname, '..');

/** Tracked files, and new ones that git does not ignore; without those deleted but not yet committed. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)));

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Sources ship; tests do not. */
const sources = files.filter(
  (path) => /^(packages\/[^/]+|actors)\/src\/.*\.ts$/.test(path) && !path.endsWith('.test.ts'),
);

/** The text without its comments: prose may name what code may not. */
const code = (path: string): string =>
  read(path)
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(?<!:)\/\/.*$/gm, '');

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const manifestOf = (path: string): Manifest => JSON.parse(read(path)) as Manifest;
const manifests = files.filter((path) => /^(packages\/[^/]+|actors)\/package\.json$/.test(path)).map(manifestOf);
const workspace = manifestOf('package.json');
const release = manifestOf('lerna.json').version;

describe('places', () => {
  test('the top level holds what the design names and dot files, nothing else', () => {
    const allowed =
      /^(packages|actors|test|docs|findings|(package|package-lock|tsconfig[.]base|lerna)[.]json|README[.]md|LICENSE|CHANGELOG[.]md|SECURITY[.]md|[.].+)$/;
    const top = new Set(files.map((path) => path.split('/')[0] ?? path));
    expect([...top].filter((name) => !allowed.test(name))).toEqual([]);
    expect([...top]).toEqual(expect.arrayContaining(['packages', 'actors', 'test', 'package.json', 'lerna.json']));
  });

  test('no file is named after what it has in common instead of what it is', () => {
    const vague = /^(utils?|helpers?|common|types)(\.|$)/;
    expect(files.filter((path) => path.split('/').some((part) => vague.test(part)))).toEqual([]);
  });

  test('source files are kebab-case', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/;
    expect(files.filter((path) => path.endsWith('.ts') && !kebab.test(basename(path)))).toEqual([]);
  });
});

test("no file takes the name grapevine on npm, which is another project's, for ours", () => {
  const strangers = [
    /\bnpx (-\S+ )*grapevine\b/,
    /\bnpm (i|install|add) (-\S+ )*grapevine\b/,
    /\b(from|import|require)\b\s*\(?\s*['"]grapevine['"]/,
    /"grapevine": "(file:|[\^~]?\d)/,
  ];
  const texts = files.filter((path) => /[.](md|ts|m?js|json|ya?ml|sh)$/.test(path) && path !== 'test/house.test.ts');
  expect(texts.filter((path) => strangers.some((way) => way.test(read(path))))).toEqual([]);
});

describe('sources', () => {
  test('core is told the time and the chance, and touches nothing outside itself', () => {
    const outside = [
      /\bDate\s*\.\s*now\b/,
      /\bnew Date\(\s*\)/,
      /\bperformance\s*\.\s*now\b/,
      /\bMath\s*\.\s*random\b/,
      /\b(set|clear)(Timeout|Interval|Immediate)\b/,
      /\bqueueMicrotask\b/,
      /\bprocess\s*\./,
      /\bconsole\s*\./,
      /['"]node:/,
      /\bawait\b/,
    ];
    const core = sources.filter((path) => path.startsWith('packages/core/src/'));
    expect(core).not.toEqual([]);
    const offences = core.flatMap((path) =>
      outside.filter((name) => name.test(code(path))).map((name) => `${path} names ${name.source}`),
    );
    expect(offences).toEqual([]);
  });

  test('no source says any, and none silences the compiler', () => {
    const any = /[:<|&]\s*any\s*[;,)>=|&[\]{}]|\bas any\b/;
    const silenced = /@ts-(ignore|nocheck)\b/;
    expect(sources.filter((path) => any.test(code(path)) || silenced.test(read(path)))).toEqual([]);
  });

  test('no source makes code of a string, and each names what it loads', () => {
    const made = [
      /(?<!-)\beval\b/,
      /\bFunction\s*\(/,
      /['"](node:)?vm['"]/,
      /\b(createRequire|require)\b/,
      /\bimport\s*\(\s*[^'"\s]/,
    ];
    const offences = sources.flatMap((path) =>
      made.filter((way) => way.test(code(path))).map((way) => `${path} has ${way.source}`),
    );
    expect(offences).toEqual([]);
  });

  // A timer that is looked up at its call is a fake one under fake timers, and never runs: docs/adr, number 20.
  test('what runs in a user’s process takes timers and turns when it loads', () => {
    const ways = 'setTimeout|clearTimeout|setInterval|clearInterval|setImmediate|clearImmediate|queueMicrotask';
    const users = sources.filter((path) =>
      /^(packages\/(core|wire|transport|node)|actors)\/src\/(?!conformance\/|(.*\/)?testing\/)/.test(path),
    );
    expect(users.length).toBeGreaterThan(100);
    const offences = users.flatMap((path) => {
      const text = code(path);
      const taken = [...text.matchAll(/const \{([^}]*)\} = globalThis;/g)].flatMap(([, names = '']) =>
        names.split(',').map((name) => name.trim()),
      );
      const called = [...text.matchAll(new RegExp(`(?<![.\\w#])(${ways})\\(`, 'g'))].map(([, name = '']) => name);
      const looked = [...text.matchAll(/\b(process\.nextTick|performance\.now)\(/g)].map(([, name = '']) => name);
      return [...called.filter((name) => !taken.includes(name)), ...looked].map((name) => `${path} calls ${name}`);
    });
    expect(offences).toEqual([]);
  });

  test('every module but an index opens with its idea', () => {
    const opening = /^(#!.*\n)?\/\*\*\s*\S/;
    const modules = sources.filter((path) => basename(path) !== 'index.ts');
    expect(modules.filter((path) => !opening.test(read(path)))).toEqual([]);
  });
});

describe('versions', () => {
  test('no folder of the workspace can be published; what is published is packed by `npm run pack`', () => {
    expect([workspace, ...manifests].filter((manifest) => manifest.private !== true).map(({ name }) => name)).toEqual(
      [],
    );
  });

  test('every package has the version that lerna releases', () => {
    expect(manifests).toHaveLength(7);
    expect(manifests.filter(({ version }) => version !== release).map(({ name }) => name)).toEqual([]);
  });

  test('packages depend on each other at exactly that version', () => {
    const own = new Set(manifests.map(({ name }) => name));
    const offences = manifests.flatMap(({ name, dependencies = {} }) =>
      Object.entries(dependencies)
        .filter(([dependency, version]) => own.has(dependency) && version !== release)
        .map(([dependency, version]) => `${name} → ${dependency}@${version}`),
    );
    expect(offences).toEqual([]);
  });

  test('outside dependencies are pinned', () => {
    const offences = [workspace, ...manifests].flatMap(({ name, dependencies = {}, devDependencies = {} }) =>
      Object.entries({ ...dependencies, ...devDependencies })
        .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
        .map(([dependency, version]) => `${name} → ${dependency}@${version}`),
    );
    expect(offences).toEqual([]);
  });

  test('nact is exactly 7.6.2, and the actors leave the choice of its copy to the user', () => {
    const actors = manifests.find(({ name }) => name === '@grapevine/actors');
    expect(actors?.peerDependencies).toEqual({ nact: '7.6.2' });
    expect(actors?.dependencies).not.toHaveProperty('nact');
    expect(workspace.devDependencies?.['nact']).toBe('7.6.2');
    expect(manifests.find(({ name }) => name === '@grapevine/node')?.dependencies?.['nact']).toBe('7.6.2');
  });
});
