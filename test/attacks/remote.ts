/**
 * A process of a measurement, commanded by its parent: commands are the methods of one object there.
 *
 * Invariants
 *  1. A process that ends before it is let go fails whatever is asked of it, with what it wrote to standard error.
 *  2. A process ends with its parent.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';

interface Request {
  readonly call: number;
  readonly command: string;
  readonly arguments: readonly unknown[];
}

interface Response {
  readonly call: number;
  readonly result?: unknown;
  readonly error?: string;
}

type Method = (...args: never) => unknown;

/** The names of the methods of `T`. */
type Command<T> = { [K in keyof T]: T[K] extends Method ? K : never }[keyof T] & string;
type Arguments<T, C extends Command<T>> = T[C] extends (...args: infer A) => unknown ? A : never;
type Result<T, C extends Command<T>> = T[C] extends (...args: never) => infer R ? Awaited<R> : never;

/** Serves the parent until it lets go. */
export function serve(commands: object): void {
  const methods = commands as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
  const respond = (response: Response): void => void process.send?.(response);
  process.on('message', (request: Request) => {
    void (async () => {
      try {
        const method = methods[request.command] as (...args: readonly unknown[]) => unknown;
        respond({ call: request.call, result: await method.apply(commands, [...request.arguments]) });
      } catch (error) {
        respond({ call: request.call, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      }
    })();
  });
  // An orderly exit, so that a profile gets written.
  process.on('disconnect', () => process.exit(0));
}

export interface RemoteOptions {
  readonly name: string;
  /** The script that calls `serve`. */
  readonly script: string;
  /** More is nicer to others, as with `nice`. @default 0 */
  readonly niceness?: number;
  /** Of Node.js. @default none */
  readonly execArgv?: readonly string[];
}

export class Remote<T> {
  readonly name: string;
  /** All that it wrote to standard error. */
  errorOutput: string = '';
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #calls = 0;
  #dismissed = false;

  constructor({ name, script, niceness = 0, execArgv = [] }: RemoteOptions) {
    this.name = name;
    // Structured clones: JSON knows neither undefined nor NaN.
    const stdio = ['ignore', 'inherit', 'pipe', 'ipc'] as const;
    this.#child = fork(script, { execArgv: [...execArgv], stdio: [...stdio], serialization: 'advanced' });
    if (niceness !== 0 && this.#child.pid !== undefined) setPriority(this.#child.pid, niceness);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.errorOutput += text));
    this.#child.on('message', (response: Response) => this.#settle(response));
    this.#child.on('exit', (code, signal) => {
      if (!this.#dismissed) this.#fail(new Error(`${name} ended (${signal ?? code}).\n${this.errorOutput}`));
    });
  }

  call<C extends Command<T>>(command: C, ...args: Arguments<T, C>): Promise<Result<T, C>> {
    const request: Request = { call: ++this.#calls, command, arguments: args };
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(request.call, { resolve, reject });
      this.#child.send(request, (error) => {
        if (error !== null) reject(error);
      });
    }) as Promise<Result<T, C>>;
  }

  async dismiss(): Promise<void> {
    this.#dismissed = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    const stuck = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(stuck);
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
