/**
 * Child processes that are given commands: the methods of an object there, called from here.
 *
 * Invariants
 *  1. A child that ends or fails before it is let go fails whoever waits for it, with the end of what it wrote to
 *     standard error.
 *  2. No child outlives its parent: it ends when the channel between them does.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';

type Served = object;
type Command<S extends Served> = {
  [K in keyof S]: S[K] extends (...args: never[]) => unknown ? K : never;
}[keyof S] &
  string;
type Arguments<S extends Served, C extends Command<S>> = S[C] extends (...args: infer A) => unknown ? A : never;
type Result<S extends Served, C extends Command<S>> = S[C] extends (...args: never[]) => infer R ? Awaited<R> : never;

/** Parent to child. */
interface Request {
  readonly call: number;
  readonly command: string;
  readonly arguments: readonly unknown[];
}

/** Child to parent. */
interface Response {
  readonly call: number;
  readonly result?: unknown;
  readonly error?: string;
}

const PATIENCE_MS = 10_000;

export interface ChildOptions {
  readonly name: string;
  /** A module that calls `serveCommands`. */
  readonly script: string;
  /** For Node.js. @default none */
  readonly nodeOptions?: readonly string[];
  /** Beside the environment of this process. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  /** More is nicer to others, as with `nice`. @default 0 */
  readonly niceness?: number;
  /** How much of the end of what it writes to standard error is kept, in characters. @default 16384 */
  readonly keptChars?: number;
}

export class Child<S extends Served> {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #calls = 0;
  #errorOutput = '';
  #dismissed = false;

  constructor({ name, script, nodeOptions = [], environment = {}, niceness = 0, keptChars = 16_384 }: ChildOptions) {
    this.name = name;
    this.#child = fork(script, {
      execArgv: [...nodeOptions],
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      // Structured clones: JSON knows neither undefined nor NaN.
      serialization: 'advanced',
    });
    if (niceness !== 0 && this.#child.pid !== undefined) setPriority(this.#child.pid, niceness);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-keptChars);
    });
    this.#child.on('message', (response: Response) => this.#settle(response));
    this.#child.on('exit', (code, signal) => {
      if (!this.#dismissed) this.#fail(new Error(`${name} ended (${signal ?? code}).\n${this.#errorOutput}`));
    });
  }

  /** The end of what it wrote to standard error. */
  get errorOutput(): string {
    return this.#errorOutput;
  }

  call<C extends Command<S>>(command: C, ...args: Arguments<S, C>): Promise<Result<S, C>> {
    const request: Request = { call: ++this.#calls, command, arguments: args };
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(request.call, { resolve, reject });
      this.#child.send(request, (error) => {
        if (error !== null) reject(error);
      });
    }) as Promise<Result<S, C>>;
  }

  /** Lets it end in order. */
  async dismiss(): Promise<void> {
    this.#dismissed = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    const stuck = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    await ended;
    clearTimeout(stuck);
  }

  /** Ends it as the system does: it has no time to say anything. */
  async kill(): Promise<void> {
    this.#dismissed = true;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  #settle({ call, result, error }: Response): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`${this.name}: ${error}`));
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Serves the parent by these methods until it lets go. */
export function serveCommands(served: object): void {
  const commands = served as Record<string, (...args: readonly unknown[]) => unknown>;
  const respond = (response: Response): void => void process.send?.(response);
  process.on('message', (request: Request) => {
    void (async () => {
      try {
        respond({ call: request.call, result: await commands[request.command]?.(...request.arguments) });
      } catch (error) {
        respond({ call: request.call, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      }
    })();
  });
  // An orderly exit, so that a profile gets written.
  process.on('disconnect', () => process.exit(0));
}
