/**
 * The command that checks the oracles: each deliberate bug goes into a copy of the packages, and histories are run until
 * one fails, or the test that is to catch it. Writes docs/mutations.md.
 */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import type { MutantReport } from './mutant.ts';
import { type Mutation, mutations as protocolMutations } from './mutations.ts';
import { swimMutations } from './swim-mutations.ts';

const mutations = [...protocolMutations, ...swimMutations];
const root = process.cwd();
const SECONDS = Number(process.env['MUTANT_SECONDS'] ?? 30);
/** Of processor time for a test. */
const TEST_SECONDS = 120;
const packages = ['core', 'wire', 'sim'];

type Outcome = { readonly mutation: Mutation } & (
  | { readonly type: 'caught'; readonly report: MutantReport }
  | { readonly type: 'survived'; readonly report: MutantReport }
  | { readonly type: 'failed'; readonly test: string; readonly elapsedMs: number }
  | { readonly type: 'passed'; readonly test: string; readonly elapsedMs: number }
  | { readonly type: 'hung' }
  | { readonly type: 'stale'; readonly where: string }
);

/** A copy of what is built, in which bugs can be planted. */
class Copy {
  readonly #folder = mkdtempSync(join(tmpdir(), 'grapevine-mutant-'));

  constructor() {
    const scope = join(this.#folder, 'node_modules', '@grapevine');
    mkdirSync(scope, { recursive: true });
    for (const name of packages)
      for (const part of ['package.json', 'dist'])
        cpSync(join(root, 'packages', name, part), join(scope, name, part), { recursive: true });
    for (const name of ['msgpackr', 'msgpackr-extract'])
      if (existsSync(join(root, 'node_modules', name)))
        symlinkSync(join(root, 'node_modules', name), join(this.#folder, 'node_modules', name));
    writeFileSync(join(this.#folder, 'package.json'), '{"type":"module"}');
    cpSync(join(import.meta.dirname, 'mutant.js'), join(this.#folder, 'mutant.js'));
  }

  async try(mutation: Mutation): Promise<Outcome> {
    const built = planted(mutation);
    if (typeof built === 'string') return { mutation, type: 'stale', where: built };
    const originals = new Map([...built.keys()].map((file) => [file, readFileSync(this.#built(file))]));
    for (const [file, source] of built) writeFileSync(this.#built(file), transpiled(source));
    try {
      return await this.#run(mutation);
    } finally {
      for (const [file, original] of originals) writeFileSync(this.#built(file), original);
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #built(file: string): string {
    return join(this.#folder, 'node_modules', '@grapevine', distOf(file));
  }

  #run(mutation: Mutation): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      // A history that never ends is told by the processor's time: on a busy machine any other takes long, too.
      const script = `ulimit -t ${3 * SECONDS + 10}; exec "$0" mutant.js ${SECONDS} ${mutation.membership ?? 'list'}`;
      execFile('sh', ['-c', script, process.execPath], { cwd: this.#folder }, (error, output) => {
        if (error !== null && error.signal !== 'SIGXCPU' && error.signal !== 'SIGKILL') return reject(error);
        if (error !== null) return resolve({ mutation, type: 'hung' });
        const report = JSON.parse(output) as MutantReport;
        resolve({ mutation, type: report.violation === null ? 'survived' : 'caught', report });
      });
    });
  }
}

/** A copy of the sources and their tests, in which bugs can be planted. */
class Sources {
  readonly #folder = mkdtempSync(join(tmpdir(), 'grapevine-mutant-'));
  /** Tests that pass while nothing is planted. */
  readonly #sound = new Set<string>();

  constructor() {
    for (const name of readdirSync(join(root, 'packages'))) {
      const folder = join('packages', name);
      if (!existsSync(join(root, folder, 'package.json'))) continue;
      for (const part of ['package.json', 'src'])
        cpSync(join(root, folder, part), join(this.#folder, folder, part), { recursive: true });
    }
    for (const part of ['package.json', join('test', 'sim')])
      cpSync(join(root, part), join(this.#folder, part), { recursive: true });
    const modules = join(this.#folder, 'node_modules');
    mkdirSync(join(modules, '@grapevine'), { recursive: true });
    for (const name of readdirSync(join(root, 'node_modules')))
      if (name !== '@grapevine' && name !== '.cache')
        symlinkSync(join(root, 'node_modules', name), join(modules, name));
    for (const name of readdirSync(join(this.#folder, 'packages')))
      symlinkSync(join(this.#folder, 'packages', name), join(modules, '@grapevine', name));
  }

  async try(mutation: Mutation, test: string): Promise<Outcome> {
    const sources = planted(mutation);
    if (typeof sources === 'string') return { mutation, type: 'stale', where: sources };
    if (!this.#sound.has(test)) {
      const { output, hasPassed } = await this.#run(test);
      if (!hasPassed) throw new Error(`${test} fails without a bug.\n${output}`);
      this.#sound.add(test);
    }
    for (const [file, source] of sources) writeFileSync(join(this.#folder, 'packages', file), source);
    const began = performance.now();
    const { hasPassed } = await this.#run(test);
    for (const file of sources.keys()) cpSync(join(root, 'packages', file), join(this.#folder, 'packages', file));
    return { mutation, type: hasPassed ? 'passed' : 'failed', test, elapsedMs: performance.now() - began };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #run(test: string): Promise<{ readonly output: string; readonly hasPassed: boolean }> {
    // A bug may keep the test from coming to its end: then it fails.
    const script = `ulimit -t ${TEST_SECONDS}; exec "$0" "$@"`;
    const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
    const folders = ['packages', 'test'].flatMap((folder) => ['--roots', join(this.#folder, folder)]);
    const args = [jest, '--rootDir', this.#folder, ...folders, '--maxWorkers=1', '--runTestsByPath', test];
    return new Promise((resolve) => {
      execFile('sh', ['-c', script, process.execPath, ...args], { cwd: this.#folder }, (error, _output, output) =>
        resolve({ output, hasPassed: error === null }),
      );
    });
  }
}

/** What the files of a mutation are with it, by their paths below packages/; the path of one that has no place for it. */
function planted({ patches }: Mutation): ReadonlyMap<string, string> | string {
  const sources = new Map<string, string>();
  for (const { file, from, to } of patches) {
    const source = sources.get(file) ?? readFileSync(join(root, 'packages', file), 'utf8');
    if (!source.includes(from)) return file;
    sources.set(
      file,
      source.replace(from, () => to),
    );
  }
  return sources;
}

function distOf(file: string): string {
  return file.replace('/src/', '/dist/').replace(/ts$/, 'js');
}

function transpiled(source: string): string {
  return ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
      verbatimModuleSyntax: true,
    },
  }).outputText;
}

async function runAll(chosen: readonly Mutation[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = [...chosen];
  const work = async (): Promise<void> => {
    const copy = new Copy();
    const tests = new Sources();
    try {
      for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
        const { test } = mutation;
        const outcome = await (test === undefined ? copy.try(mutation) : tests.try(mutation, test));
        outcomes.push(outcome);
        process.stdout.write(`${rowOf(outcome)}\n`);
      }
    } finally {
      copy.remove();
      tests.remove();
    }
  };
  await Promise.all([work(), work()]);
  return mutations.flatMap((mutation) => outcomes.filter((outcome) => outcome.mutation === mutation));
}

function rowOf(outcome: Outcome): string {
  const { rule, name, survives } = outcome.mutation;
  const start = `| ${rule} | ${name} |`;
  if (outcome.type === 'hung') return `${start} caught | the machine never came back | |`;
  if (outcome.type === 'stale') return `${start} **stale** | ${outcome.where} has changed: plant it anew | |`;
  if (outcome.type === 'failed' || outcome.type === 'passed') {
    const cost = `${(outcome.elapsedMs / 1000).toFixed(1)} s`;
    return outcome.type === 'failed'
      ? `${start} caught | \`${outcome.test}\` | ${cost} |`
      : `${start} **survived** | \`${outcome.test}\` passes | ${cost} |`;
  }
  const { violation, seed, elapsedMs } = outcome.report;
  const cost = `${seed} ${seed === 1 ? 'history' : 'histories'}, ${(elapsedMs / 1000).toFixed(1)} s`;
  if (violation === null) return `${start} **survived** | ${survives ?? 'not explained yet'} | ${cost} |`;
  return `${start} caught | ${violation.oracle} (rule ${violation.rule}) | ${cost} |`;
}

function page(outcomes: readonly Outcome[]): string {
  const caught = outcomes.filter(({ type }) => type === 'caught' || type === 'failed' || type === 'hung').length;
  return `# Mutations

Deliberate bugs, planted one at a time into a copy of the packages; then histories are run until an oracle of the
simulator objects, for ${SECONDS} seconds of one processor at most. What no history shows, or hardly any, a test is to
catch, which is run with the bug in a copy of the sources, and passes without it. \`npm run mutate\` writes this page; the bugs are in
\`test/sim/mutations.ts\`. Rules are those of [the algorithm](algorithm.md); 0 is the contract of a machine
or a membership; bugs of \`swim\` are looked for in worlds whose nodes find each other by it.

**${caught} of ${outcomes.length} caught (${((100 * caught) / outcomes.length).toFixed(0)} %).** A survivor is either harmless, and the table says why, or a
hole in the oracles.

| rule | bug | outcome | by which oracle, or why not | after |
| --- | --- | --- | --- | --- |
${outcomes.map(rowOf).join('\n')}
`;
}

const only = process.argv.slice(2);
const chosen = only.length === 0 ? mutations : mutations.filter(({ name }) => only.some((part) => name.includes(part)));
const outcomes = await runAll(chosen);
if (only.length === 0) {
  const path = join(root, 'docs', 'mutations.md');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, page(outcomes));
}
