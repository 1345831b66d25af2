/**
 * Packs every package into the tarball that is published, and prints the folder that holds the tarballs.
 *
 * Run from the top of the repository by `npm run pack`, after the build. A folder is named after the digest of its inputs, so
 * that a second run with the same inputs packs nothing, and tests that run beside each other share one folder.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pack } from './pack.ts';
import { packagesOf } from './workspace.ts';

const root = resolve();
const folder = join(root, 'node_modules/.cache/grapevine-packages');
const destination = join(folder, digestOfInputs());

if (!existsSync(destination)) {
  const making = `${destination}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  pack(root, making);
  try {
    renameSync(making, destination);
  } catch (error) {
    // Another run was faster, with the same inputs.
    if (!existsSync(destination)) throw error;
    rmSync(making, { recursive: true });
  }
  for (const name of readdirSync(folder))
    if (isOld(join(folder, name))) rmSync(join(folder, name), { recursive: true });
}
process.stdout.write(`${destination}\n`);

function digestOfInputs(): string {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  const parts = packagesOf(root).flatMap(({ place }) =>
    ['package.json', 'README.md', 'bin', 'src', 'dist'].map((name) => join(root, place, name)),
  );
  for (const part of [...parts, join(root, 'LICENSE'), import.meta.dirname]) {
    const isFolder = existsSync(part) && statSync(part).isDirectory();
    const paths = isFolder ? readdirSync(part, { recursive: true, encoding: 'utf8' }).sort() : [''];
    for (const path of paths.map((within) => join(part, within)))
      if (existsSync(path) && statSync(path).isFile()) hash.update(path).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Another run may still read a folder of today. */
function isOld(path: string): boolean {
  return path !== destination && Date.now() - statSync(path).mtimeMs > 86_400_000;
}
