/**
 * A network for tests, as network.py makes it: namespaces, and what happens to the packets between them.
 *
 * Invariants
 *  1. Everything is removed by `close`, and without it when this process ends, however it ends.
 *  2. What is asked for is so when the promise settles.
 */
import { type ChildProcessWithoutNullStreams, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const python = 'python3';
const pathOf = (script: string): string => join(__dirname, script);

/** What happens to packets on their way in one direction. */
export interface Faults {
  readonly delayMs?: number;
  /** The delay is off by up to so much, so that packets overtake each other. */
  readonly jitterMs?: number;
  /** The share that gets lost; 1: nothing comes through. */
  readonly loss?: number;
}

export interface Place {
  readonly namespace: string;
  readonly address: string;
}

/** Why there can be no such network here; `null` where there can. */
export function whyNoNetwork(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'only root may make network namespaces';
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  for (const [command, asked] of [
    ['ip', '-V'],
    [python, '--version'],
  ] as const)
    if (spawnSync(command, [asked]).status !== 0) return `there is no command '${command}'`;
  const trial = spawnSync(python, [pathOf('network.py')], { input: 'node trial\n', encoding: 'utf8' });
  return trial.stdout.includes('"namespace"')
    ? null
    : `it cannot be made: ${trial.stdout.trim()}${trial.stderr.trim()}`;
}

export class Network {
  /** Settles when the process that makes it has ended. */
  readonly ended: Promise<unknown>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: ((answer: string) => void)[] = [];
  readonly #places = new Map<string, Place>();
  #complaints = '';

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.ended = once(child, 'close');
    createInterface(child.stdout).on('line', (line) => this.#answers.shift()?.(line));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#complaints += text));
    child.once('close', () => {
      const answer = JSON.stringify({ error: `the network has ended: ${this.#complaints}` });
      for (const answered of this.#answers.splice(0)) answered(answer);
    });
    child.stdin.on('error', () => undefined);
  }

  static open(): Network {
    return new Network(spawn(python, [pathOf('network.py')], { stdio: 'pipe' }));
  }

  /** The namespace of this name, connected with all others: made when it is first asked for. */
  async node(name: string): Promise<Place> {
    const place = this.#places.get(name) ?? ((await this.#tell(`node ${name}`)) as unknown as Place);
    this.#places.set(name, place);
    return place;
  }

  /** Connects this machine itself. @returns its address there */
  async host(): Promise<string> {
    return ((await this.#tell('host')) as unknown as Place).address;
  }

  /** From now on; in place of what was told before of the same direction. `*`: everybody. */
  async link(from: string, to: string, { delayMs = 0, jitterMs = 0, loss = 0 }: Faults = {}): Promise<void> {
    await this.#tell(`link ${from} ${to} delay=${delayMs} jitter=${jitterMs} loss=${loss}`);
  }

  /** Nothing comes through between these and those, in either direction. */
  async cut(these: readonly string[], those: readonly string[]): Promise<void> {
    for (const one of these)
      for (const other of those) {
        await this.link(one, other, { loss: 1 });
        await this.link(other, one, { loss: 1 });
      }
  }

  /** Everything comes through at once. */
  async heal(): Promise<void> {
    await this.link('*', '*');
  }

  /** Sets a namespace's device up or down. */
  async device(name: string, state: 'up' | 'down'): Promise<void> {
    await this.#tell(`${state} ${name}`);
  }

  /** How many packets were taken, and lost of them. */
  async counts(from: string, to: string): Promise<{ readonly taken: number; readonly lost: number }> {
    const counts = (await this.#tell('counts')) as Record<string, readonly [number, number]>;
    const [taken, lost] = counts[`${from} ${to}`] ?? [0, 0];
    return { taken, lost };
  }

  /** The command that another one after it turns into, within a namespace. */
  runner(name: string): string[] {
    return ['ip', 'netns', 'exec', this.#placeOf(name).namespace];
  }

  /** Round trips, in milliseconds, of those pings that were answered. */
  async ping(from: string, to: string, { count, everyMs }: { count: number; everyMs: number }): Promise<number[]> {
    const [command, ...rest] = this.runner(from) as [string, ...string[]];
    const { address } = this.#placeOf(to);
    const words = [...rest, python, pathOf('ping.py'), address, String(count), String(everyMs)];
    return JSON.parse((await promisify(execFile)(command, words)).stdout) as number[];
  }

  /** The name server that processes of a namespace ask that start from now on. */
  async setNameServer(name: string, address: string): Promise<void> {
    const folder = `/etc/netns/${this.#placeOf(name).namespace}`;
    await mkdir(folder, { recursive: true });
    await writeFile(`${folder}/resolv.conf`, `nameserver ${address}\n`);
  }

  /** Hosts that processes of a namespace find without a name server, by name, that start from now on. */
  async setHosts(name: string, hosts: Readonly<Record<string, string>>): Promise<void> {
    const folder = `/etc/netns/${this.#placeOf(name).namespace}`;
    await mkdir(folder, { recursive: true });
    const lines = Object.entries(hosts).map(([host, address]) => `${address} ${host}\n`);
    await writeFile(`${folder}/hosts`, lines.join(''));
  }

  /** Takes two namespaces off this network, and connects them by a link that knows IPv6 alone. */
  async onlyIPv6(name: string, other: string): Promise<void> {
    const [here, there] = [this.#placeOf(name), this.#placeOf(other)].map(({ namespace }) => namespace) as [
      string,
      string,
    ];
    const ip = async (words: string): Promise<unknown> => promisify(execFile)('ip', words.split(' '));
    await ip(`-n ${here} link add six type veth peer name six netns ${there}`);
    for (const [index, namespace] of [here, there].entries()) {
      await ip(`-n ${namespace} address flush dev wire`);
      await ip(`-n ${namespace} link set wire down`);
      await ip(`-n ${namespace} link set six up`);
      await ip(`-n ${namespace} -6 address add fd00::${index + 1}/64 dev six nodad`);
    }
  }

  /** Removes everything. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    await this.ended;
  }

  #placeOf(name: string): Place {
    const place = this.#places.get(name);
    if (place === undefined) throw new Error(`there is no node ${name}`);
    return place;
  }

  async #tell(line: string): Promise<Record<string, unknown>> {
    const answered = new Promise<string>((resolve) => this.#answers.push(resolve));
    this.#child.stdin.write(`${line}\n`);
    const answer = JSON.parse(await answered) as Record<string, unknown>;
    if ('error' in answer) throw new Error(String(answer['error']));
    return answer;
  }
}
