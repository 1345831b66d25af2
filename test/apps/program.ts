/**
 * Programs of an app as processes: what they print, how they end, and conditions to wait for.
 *
 * Invariants
 *  1. Nothing waits for a duration. A condition that does not come true in time fails with what every program printed.
 *  2. No process outlives its test: `endPrograms` belongs in `afterEach`, and ends what still runs by its process id.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { pass } from '../bench/clock.ts';

/** How long a condition may take to come true, in milliseconds, before it counts as false. */
const patienceMs = 60_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const all = new Set<Program>();

/** Ends all that still run. */
export async function endPrograms(): Promise<void> {
  const programs = [...all];
  all.clear();
  for (const program of programs) program.signal('SIGKILL');
  await Promise.all(programs.map(({ exited }) => exited));
}

export class Program {
  readonly exited: Promise<Exit>;
  output: string = '';
  errors: string = '';
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #words: readonly string[];

  /** Starts a program in a folder: a command and its arguments. */
  constructor(
    folder: string,
    [command, ...words]: readonly [string, ...string[]],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#words = [command, ...words];
    const child = spawn(command, words, { cwd: folder, env: { ...process.env, ...env }, stdio: 'pipe' });
    this.#child = child;
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
    all.add(this);
  }

  /** Whole lines that it has printed. */
  get lines(): readonly string[] {
    return this.output.split('\n').slice(0, -1);
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  toString(): string {
    return `${this.#words.join(' ')}\n${this.output}${this.errors}`;
  }
}

/**
 * Looks at a condition again and again until it holds.
 * @throws when it does not come true in time, with what it is and what all programs printed
 */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`${what}: not in time\n\n${[...all].join('\n\n')}`);
    await pass(20);
  }
}
