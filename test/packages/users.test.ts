/**
 * The packed packages in an empty project, used from ES modules, from CommonJS, from TypeScript and from a shell.
 *
 * TypeScript: the oldest releases that the READMEs name and the newest, all with `strict` and without `skipLibCheck`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { makeProject, removeProject, root, workspacePackages } from './project.ts';
import { closureOf } from './workspace.ts';

/** 5.4 brought `NoInfer`, which our declarations name. 5.8 brought `require` of an ES module to `module: nodenext`. */
const compilers = { oldest: '5.4.5', 'oldest that requires': '5.8.3', newest: '7.0.2' } as const;

const aliasOf = (name: string): string => `typescript-${name.replaceAll(' ', '-')}`;

const project = makeProject({
  ours: workspacePackages.map(({ manifest }) => manifest.name),
  others: {
    nact: '7.6.2',
    '@types/node': '20.19.43',
    ...Object.fromEntries(
      Object.entries(compilers).map(([name, version]) => [aliasOf(name), `npm:typescript@${version}`]),
    ),
  },
});
afterAll(() => removeProject(project));

const { folder, hindrance } = project;
const describeOrSkip = hindrance === null ? describe : describe.skip;
const title = hindrance === null ? 'an empty project' : `an empty project (skipped: ${hindrance})`;

/** Every entry point that an import may name. */
const entryPoints = workspacePackages.flatMap(({ manifest: { name, exports } }) =>
  Object.keys(exports).map((entry) => `${name}${entry.slice(1)}`),
);

const place = (path: string): string => join(folder as string, path);

/** Writes a file into the project and returns its path. */
function write(path: string, text: string): string {
  mkdirSync(join(place(path), '..'), { recursive: true });
  writeFileSync(place(path), text);
  return place(path);
}

const run = (...words: readonly string[]): string =>
  execFileSync(process.execPath, words, { cwd: folder as string, encoding: 'utf8', timeout: 60_000 });

/** A node alone that writes, reads and leaves. */
const use = `
async function use() {
  const grapevine = await createGrapevine({ name: 'a', listen: { port: 0 }, logger: false });
  const flags = grapevine.gossip('flags');
  await flags.add('dark-mode', { on: true });
  console.log(JSON.stringify(flags.get('dark-mode')), flags.size);
  await grapevine.leave();
}
`;

test('the READMEs name the oldest TypeScript', () => {
  const [oldest, required] = [compilers.oldest, compilers['oldest that requires']].map((version) =>
    version.replace(/[.]\d+$/, ''),
  );
  const service = closureOf(['@grapevine/node'], workspacePackages);
  const pages = workspacePackages
    .filter(({ manifest }) => service.has(manifest.name))
    .map(({ place: at }) => `${at}/README.md`);
  const said = new RegExp(`TypeScript ${oldest} or newer \\(${required} from\\s+CommonJS\\)`);
  for (const page of ['README.md', ...pages]) expect(readFileSync(join(root, page), 'utf8')).toMatch(said);
});

describeOrSkip(title, () => {
  test('imports every entry point', () => {
    const file = write(
      'all.mjs',
      `for (const name of ${JSON.stringify(entryPoints)}) if (Object.keys(await import(name)).length === 0) console.log(name);`,
    );
    expect(run(file)).toBe('');
  });

  test('requires every entry point', () => {
    const file = write(
      'all.cjs',
      `for (const name of ${JSON.stringify(entryPoints)}) if (Object.keys(require(name)).length === 0) console.log(name);`,
    );
    expect(run(file)).toBe('');
  });

  test('runs a node from an ES module', () => {
    const file = write('use.mjs', `import { createGrapevine } from '@grapevine/node';\n${use}\nawait use();`);
    expect(run(file)).toBe('{"on":true} 1\n');
  });

  test('runs a node from CommonJS', () => {
    const file = write('use.cjs', `const { createGrapevine } = require('@grapevine/node');\n${use}\nuse();`);
    expect(run(file)).toBe('{"on":true} 1\n');
  });

  test('has one copy of nact and one of the actors, whichever door is used', () => {
    const file = write(
      'doors.mjs',
      `import { start, stop } from 'nact';
import { isGossipError as ofNode, createGrapevine } from '@grapevine/node';
import { isGossipError as ofActors, spawnGrapevine, ready, leaveGrapevine, swim } from '@grapevine/actors';
import { isGossipError as ofCore } from '@grapevine/core';
const system = start();
const node = spawnGrapevine(system, { name: 'a', listen: { port: 0 }, membership: swim() });
const { url } = await ready(node);
const failed = await createGrapevine({ name: 'b', listen: { port: Number(new URL(url).port) }, logger: false }).catch((error) => error);
console.log(failed.code, ofNode(failed), ofActors(failed), ofCore(failed), ofNode === ofActors);
await leaveGrapevine(node);
stop(system);`,
    );
    expect(run(file)).toBe('PORT_IN_USE true true true true\n');
  });

  // A file `.mts` is an ES module, a file `.cts` CommonJS.
  test.each([
    ['oldest', ['mts']],
    ['oldest that requires', ['cts']],
    ['newest', ['mts', 'cts']],
  ] as const)('compiles with the %s TypeScript (%j), and what comes of it runs', (version, endings) => {
    for (const ending of endings) write(`${version}/main.${ending}`, program);
    write(`${version}/names.mts`, importOfEverything());
    write(`${version}/tsconfig.json`, options);
    expect(compile(version)).toBe('');
    for (const ending of endings)
      expect(run(place(`${version}/main.${ending.replace('ts', 'js')}`))).toBe(
        '{ on: true }\nsnapshot dark-mode true\n',
      );
  });

  test('runs the command by its path', () => {
    const command = place('node_modules/.bin/grapevine');
    const said = (...words: readonly string[]) =>
      spawnSync(command, words, { cwd: folder as string, encoding: 'utf8', timeout: 60_000 });
    expect(said('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: grapevine') });
    const simulated = said('simulate', '--nodes', '50', '--runs', '4', '--seed', '1', '--json');
    expect(simulated).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(simulated.stdout)).toHaveProperty('residue');
  });
});

/** A program of a user: values with a type, a handler, changes, nact. */
const program = `import { createGrapevine, hybrid, isGossipError, type Handler } from '@grapevine/node';
import { spawnGossip, spawnGrapevine, swim, type Ref, type GossipMessage } from '@grapevine/actors';
import { start, stop } from 'nact';

const keep: Handler = { push: (received) => ({ ok: [...received].map(([id]) => id) }) };
const system = start();
const node = spawnGrapevine(system, { name: 'b', listen: { port: 0 }, membership: swim() });
export const ref: Ref<GossipMessage> = spawnGossip(node, { name: 'flags' });

async function main(): Promise<void> {
  const grapevine = await createGrapevine({ name: 'a', listen: { port: 0 }, logger: false });
  try {
    const flags = grapevine.gossip('flags', { protocol: hybrid(), handler: keep });
    await flags.add('dark-mode', { on: true });
    console.log(flags.get('dark-mode'));
    for await (const event of flags.changes()) {
      if (event.type !== 'snapshot') continue;
      for (const { id, value } of event.entries) console.log(event.type, id, (value as { on: boolean }).on);
      break;
    }
  } catch (error) {
    if (isGossipError(error)) console.error(error.code);
    throw error;
  }
  await grapevine.leave();
  stop(system);
}
void main();
`;

const options = JSON.stringify({
  compilerOptions: {
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    module: 'nodenext',
    target: 'es2022',
    types: ['node'],
  },
  include: ['*'],
});

/** A module that imports every name which the packages export when they run. */
function importOfEverything(): string {
  const lister = write(
    'names.mjs',
    `const names = {};
for (const name of ${JSON.stringify(entryPoints)}) names[name] = Object.keys(await import(name));
console.log(JSON.stringify(names));`,
  );
  const lines = Object.entries(JSON.parse(run(lister)) as Record<string, readonly string[]>).map(
    ([from, names], index) =>
      `import { ${names.map((name) => `${name} as ${name}${index}`).join(', ')} } from '${from}';
export const all${index}: readonly unknown[] = [${names.map((name) => `${name}${index}`).join(', ')}];`,
  );
  return lines.join('\n');
}

/** @returns what the compiler says */
function compile(version: keyof typeof compilers): string {
  const compiler = place(`node_modules/${aliasOf(version)}`);
  const { bin } = JSON.parse(readFileSync(join(compiler, 'package.json'), 'utf8')) as {
    readonly bin: { readonly tsc: string };
  };
  const { stdout, stderr } = spawnSync(process.execPath, [join(compiler, bin.tsc), '-p', version], {
    cwd: folder as string,
    encoding: 'utf8',
    timeout: 120_000,
  });
  return stdout + stderr;
}
