/**
 * A package as it is published, made of what the build has left in the workspace.
 *
 * Invariants
 *  1. A tarball holds the sources, what the compiler made of them, README, LICENSE and the manifest, and nothing else.
 *  2. The manifest is that of the workspace without `private`, which keeps `npm publish` away from the unpacked folder,
 *     and without the condition `source`, which leads to TypeScript that Node.js does not run.
 *  3. The modules of a package that a service imports are one file for each entry point: Node.js takes longer to find and
 *     read many small files than to run them (docs/adr/0017-one-file-for-each-package.md).
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { buildSync } from 'esbuild';
import { closureOf, type Manifest, type Package, packagesOf } from './workspace.ts';

/** Packages that this one needs are bundled. Others start workers and processes by the paths of their modules. */
const frontDoor = '@grapevine/node';

/**
 * Makes one tarball for each package.
 * @param root the top of the repository, built
 * @param destination a folder that exists, for the tarballs
 */
export function pack(root: string, destination: string): void {
  const packages = packagesOf(root);
  const bundled = closureOf([frontDoor], packages);
  const stages = packages.map((from) => {
    const stage = join(destination, 'stage', from.place);
    copy(root, from, stage);
    if (bundled.has(from.manifest.name)) bundle(stage, from.manifest);
    return stage;
  });
  execFileSync('npm', ['pack', '--silent', '--pack-destination', destination, ...stages], {
    cwd: destination,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  rmSync(join(destination, 'stage'), { recursive: true });
}

/** Copies what is published. A file in `dist` whose source is gone, a test, and what only tests import stay behind. */
function copy(root: string, { place, manifest }: Package, stage: string): void {
  const from = join(root, place);
  mkdirSync(stage, { recursive: true });
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`);
  writeFileSync(
    join(stage, 'README.md'),
    publishedPage(readFileSync(join(from, 'README.md'), 'utf8'), place, manifest),
  );
  cpSync(join(root, 'LICENSE'), join(stage, 'LICENSE'));
  if (manifest.files.includes('bin')) cpSync(join(from, 'bin'), join(stage, 'bin'), { recursive: true });
  for (const source of sourcesOf(join(from, 'src'))) {
    cpSync(join(from, 'src', source), join(stage, 'src', source));
    if (source.endsWith('.d.ts')) continue;
    for (const ending of ['.js', '.js.map', '.d.ts', '.d.ts.map']) {
      const made = `${source.slice(0, -'.ts'.length)}${ending}`;
      if (!existsSync(join(from, 'dist', made)))
        throw new Error(`${place}/dist/${made} is missing: run "npm run build" before "npm run pack"`);
      cpSync(join(from, 'dist', made), join(stage, 'dist', made));
    }
  }
}

function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.split('/').includes('testing'));
}

function publishedManifest({ private: _private, ...manifest }: Manifest): Manifest {
  const entries = Object.entries(manifest.exports).map(([name, { source: _source, ...targets }]) => [name, targets]);
  return { ...manifest, exports: Object.fromEntries(entries) as Manifest['exports'] };
}

/** A page whose links work outside of the repository: they lead to the repository at this version. */
function publishedPage(text: string, place: string, { repository, version }: Manifest): string {
  const base = `${repository.url.replace(/^git\+/, '').replace(/[.]git$/, '')}/blob/v${version}`;
  return text.replaceAll(
    /\]\((?![a-z]+:|#)([^)\s]+)\)/g,
    (_link, path: string) => `](${base}/${posix.normalize(posix.join(place, path))})`,
  );
}

/** Puts all modules behind an entry point into its file. What several entry points share becomes a file beside them. */
function bundle(stage: string, manifest: Manifest): void {
  const entryPoints = Object.values(manifest.exports).map((targets) => targets['default'] as string);
  const { metafile } = buildSync({
    absWorkingDir: stage,
    entryPoints,
    outdir: 'dist',
    outbase: 'dist',
    allowOverwrite: true,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    sourcemap: true,
    // The maps lead to `src`, which is in the package.
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  });
  const kept = new Set(Object.keys(metafile.outputs));
  for (const path of readdirSync(join(stage, 'dist'), { recursive: true, encoding: 'utf8' })) {
    const file = posix.join('dist', path.replaceAll('\\', '/'));
    if (/[.]js([.]map)?$/.test(file) && !kept.has(file)) rmSync(join(stage, file));
  }
}
