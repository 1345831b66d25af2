/**
 * A `redis-server` of its own for a measurement: on a free port of loopback, with nothing written to disk.
 *
 * Invariants
 *  1. It ends with the measurement, and with this process.
 *  2. What it uses counts for the contestant, as what the processes of the contestant use does.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Redis } from 'ioredis';
import type { Reading } from './meter.ts';

const PATIENCE_MS = 10_000;
const TRIES = 5;

let version: string | null | undefined;

/** The version of the installed `redis-server`; null where there is none. */
export function redisVersion(): string | null {
  if (version !== undefined) return version;
  const { error, stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  version = error === undefined ? (/v=([\d.]+)/.exec(stdout)?.[1] ?? null) : null;
  return version;
}

export class RedisServer {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #client: Redis;
  readonly #kill: () => void;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#process = child;
    // It retries while the server starts.
    this.#client = new Redis(url, { retryStrategy: (attempt) => (child.exitCode === null ? 10 * attempt : null) });
    this.#client.on('error', () => {});
    this.#kill = (): void => void child.kill();
    process.once('exit', this.#kill);
  }

  /** @throws Error when it does not answer in time */
  static async start(): Promise<RedisServer> {
    for (let tries = 1; ; tries++) {
      const port = await freePort();
      const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
      // A burst may be more than the 32 MiB at which a subscriber is cut off.
      options.push('--client-output-buffer-limit', 'pubsub 0 0 0');
      const child = spawn('redis-server', options, { stdio: 'ignore' });
      const server = new RedisServer(`redis://127.0.0.1:${port}`, child);
      try {
        await inTime(server.#client.ping());
        return server;
      } catch (error) {
        await server.stop();
        // Another process may have taken the port meanwhile.
        if (tries === TRIES) throw error;
      }
    }
  }

  async read(): Promise<Reading> {
    const info = await this.#client.info();
    const field = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
    return {
      cpuMs: 1e3 * (field('used_cpu_sys') + field('used_cpu_user')),
      bytesOut: field('total_net_output_bytes'),
    };
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
    process.off('exit', this.#kill);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill();
    await ended;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(reject, PATIENCE_MS, new Error('redis-server does not answer.'));
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
