/**
 * `grapevine agent`: one node as a process. Lines in, events out, until a signal or the end of input says leave.
 *
 * Invariants
 *  1. `ready` is the first line; then the members, a snapshot of each gossip, and everything that changes after it. With
 *     `exitIfRefused` it comes once the node has met others or may be alone, and not at all where the node is refused.
 *  2. Leaving is orderly: what was read is stored and brought to another node, the node says goodbye, every event so far is
 *     printed. What no other node has is a complaint, and with `exitOnEnd` a failure.
 *  3. SIGHUP reads keys and certificates again, and ends nothing: what is wrong with them is a complaint.
 *  4. Standard output bears events alone; complaints and the log go to standard error.
 */
import { constants, fstatSync, openSync } from 'node:fs';
import {
  createGrapevine,
  type Gossip,
  type Grapevine,
  type GrapevineOptions,
  type GossipOptions,
  type SecurityOptions,
} from '@grapevine/node';

import { type AgentEvent, type PrintedEntry, showJson, showText } from './event.ts';
import { Input } from './input.ts';
import { Output } from './output.ts';
import { VitalSigns } from './vitals.ts';
import { wallMs } from './wall-clock.ts';

export interface AgentOptions {
  readonly node: GrapevineOptions;
  /** Names; the first is meant by lines that name none. */
  readonly gossips: readonly string[];
  readonly gossip: Omit<GossipOptions, 'name'>;
  readonly json: boolean;
  /** Leave when standard input ends. */
  readonly exitOnEnd: boolean;
  /** Leave when the cluster refuses this node, or another living node has its name, and be ready only once it is not so. */
  readonly exitIfRefused: boolean;
  /** How long leaving waits for others to have what was written here, in milliseconds. @default as `leave()` has it */
  readonly leaveWithinMs: number | undefined;
  /** The gossip into which this process writes its own vital signs once a second, if any. */
  readonly vitals: string | undefined;
  /** Reads keys and certificates from where they were read at the start. @throws GossipError OPTIONS_INVALID */
  readonly readSecurity: () => SecurityOptions;
}

/** How often vital signs are written, and after how long without news they vanish, in milliseconds. */
const VITALS_EVERY_MS = 1000;
const VITALS_EXPIRE_MS = 3000;
/** How often it is looked whether this node is refused, in milliseconds, until it has joined. */
const LOOK_EVERY_MS = 250;
/** A former self may hold the name for a moment: another has it once that was said so often. */
const NAME_REFUSALS = 2;
/** How long a reader may take for the last lines, in milliseconds, before they are given up. */
const FLUSH_TIMEOUT_MS = 5000;

/**
 * Runs until it has left.
 * @returns the exit code: 1 where it was to leave at the end of its input, and something was not delivered; 3 where it was
 *   refused, and was to leave then
 * @throws GossipError OPTIONS_INVALID, PORT_IN_USE, ADDRESS_UNAVAILABLE; nothing is left running
 */
export async function runAgent(options: AgentOptions): Promise<0 | 1 | 3> {
  const asked = stopAsked();
  // Heard from now on, as it ends a process that does not hear it; done once there is a node.
  let hungUp = false;
  let renew = (): void => void (hungUp = true);
  process.on('SIGHUP', () => renew());
  const grapevine = await createGrapevine(options.node);
  const agent = new Agent(grapevine, options);
  renew = () => agent.renew();
  if (hungUp) renew();
  return agent.run(asked);
}

class Agent {
  readonly #grapevine: Grapevine;
  readonly #options: AgentOptions;
  readonly #gossips: ReadonlyMap<string, Gossip>;
  readonly #input: Input;
  readonly #output = new Output(process.stdout);
  readonly #show: (event: AgentEvent) => string;
  #renewed: Promise<void> = Promise.resolve();
  /** Settles when this node is refused for good, with the reason. */
  readonly #refused: Promise<string>;
  #refuse: (reason: string) => void = () => undefined;

  constructor(grapevine: Grapevine, options: AgentOptions) {
    this.#grapevine = grapevine;
    this.#options = options;
    this.#refused = new Promise((resolve) => {
      this.#refuse = resolve;
    });
    this.#show = options.json ? showJson : showText;
    const names = new Set(options.vitals === undefined ? options.gossips : [...options.gossips, options.vitals]);
    this.#gossips = new Map([...names].map((name) => [name, grapevine.gossip(name, options.gossip)]));
    this.#input = new Input({
      gossips: this.#gossips,
      answerStatus: () => this.#printStatus(),
      complain: (line, problem) => process.stderr.write(`line ${line}: ${problem}\n`),
    });
    // Whoever started this process may be gone before it: then nobody is there to complain to.
    process.stderr.on('error', () => undefined);
  }

  async run(asked: Promise<void>): Promise<0 | 1 | 3> {
    let undelivered = 0;
    let endedByInput = false;
    let refusal: string | null = null;
    if (this.#options.exitIfRefused) {
      const arrived = await Promise.race([asked.then(() => 'asked' as const), this.#arrive()]);
      if (arrived !== null) {
        await this.#leave();
        return arrived === 'asked' ? 0 : this.#complainOf(arrived.refusal);
      }
    }
    const { url } = this.#grapevine;
    this.#print({ event: 'ready', at: wallMs(), node: this.#grapevine.name, url, pid: process.pid });
    const printing = [this.#printMembers(), ...[...this.#gossips.values()].map((gossip) => this.#printChanges(gossip))];
    const stopVitals = this.#writeVitals();

    const failed = Promise.all(printing);
    // A node that only dials, and whom nobody answers, lives on too.
    const heldOpen = setInterval(() => undefined, 2 ** 30);
    try {
      const input = this.#readInput().then(() => true);
      const refused = this.#refused.then((reason) => ({ reason }));
      const ended = await Promise.race([asked, this.#output.broken, input, failed, refused]);
      endedByInput = ended === true;
      if (typeof ended === 'object' && 'reason' in ended) refusal = ended.reason;
    } finally {
      stopVitals();
      process.stdin.destroy();
      await this.#input.idle();
      undelivered = await this.#leave();
      clearInterval(heldOpen);
    }
    await failed;
    await Promise.race([this.#output.drained(), after(FLUSH_TIMEOUT_MS)]);
    if (refusal !== null) return this.#complainOf(refusal);
    // A service that is told to stop has done so, whatever was lost: that is said above. A pipe that has ended wants to know.
    return !endedByInput || undelivered === 0 ? 0 : 1;
  }

  /**
   * Waits until this node has met others, or may be alone.
   * @returns `null` then; else why it is refused: by all whom it was given to find, or by one that knows a living node of its name
   */
  async #arrive(): Promise<{ readonly refusal: string } | null> {
    let look: NodeJS.Timeout | undefined;
    const taken = new Promise<{ readonly refusal: string }>((resolve) => {
      look = setInterval(() => {
        const found = this.#grapevine
          .status()
          .refusals.find(({ code, by, times }) => code === 'NAME_TAKEN' && by === 'peer' && times >= NAME_REFUSALS);
        if (found !== undefined) resolve({ refusal: found.message });
      }, LOOK_EVERY_MS);
    });
    const joined = this.#grapevine.joined({ timeoutMs: Infinity }).then(
      () => null,
      (error: Error) => ({ refusal: error.message }),
    );
    try {
      return await Promise.race([joined, taken]);
    } finally {
      clearInterval(look);
    }
  }

  #complainOf(refusal: string): 3 {
    process.stderr.write(`refused, so this node has left (--exit-if-refused): ${refusal}\n`);
    return 3;
  }

  /** @returns how many writes were lost: none where there was nobody to bring them to */
  async #leave(): Promise<number> {
    const { alone } = this.#grapevine.status();
    const { undelivered, gossips } = await this.#grapevine.leave({ deadlineMs: this.#options.leaveWithinMs });
    if (alone) return 0;
    const where = Object.entries(gossips).map(([name, count]) => `${count} in ${name}`);
    if (undelivered > 0)
      process.stderr.write(
        `not delivered: ${undelivered} of the writes made here (${where.join(', ')}); no other node is known to have them, so they are lost. --leave-within waits longer; the log says why nobody took them\n`,
      );
    return undelivered;
  }

  /** Reads keys and certificates again. One after the other: who says it twice means the later. */
  renew(): void {
    this.#renewed = this.#renewed.then(async () => {
      try {
        const { keys, tls } = this.#options.readSecurity();
        if (tls !== undefined) await this.#grapevine.renewTls(tls);
        if (tls !== undefined) process.stderr.write('certificates were read again\n');
        if (keys === undefined) return;
        const { closed } = await this.#grapevine.rotateKeys(keys);
        process.stderr.write(`keys were read again: ${keys.length}; connections of withdrawn keys closed: ${closed}\n`);
      } catch (error) {
        process.stderr.write(`not replaced, what was there stays: ${(error as Error).message}\n`);
      }
    });
  }

  /** Settles when the node shall end because of its input. */
  async #readInput(): Promise<void> {
    if (!this.#options.exitOnEnd) holdOpen();
    try {
      await this.#input.read(process.stdin.setEncoding('utf8') as AsyncIterable<string>);
    } catch {
      // An input that cannot be read, or that was taken away while leaving, has ended.
    }
    if (!this.#options.exitOnEnd) await new Promise(() => undefined);
  }

  async #printMembers(): Promise<void> {
    for await (const change of this.#grapevine.memberChanges()) {
      const at = wallMs();
      if (change.type === 'refused') {
        const { refusal } = change;
        this.#print({ event: 'refused', at, node: this.#grapevine.name, ...refusal });
        if (this.#options.exitIfRefused && refusal.code === 'NAME_TAKEN' && refusal.by === 'peer')
          this.#refuse(refusal.message);
        continue;
      }
      const up = change.type === 'members' ? change.members : [change.member];
      const event = change.type === 'members' ? 'nodeup' : change.type;
      for (const { name, url, meta = {} } of up) {
        const value = Object.keys(meta).length === 0 ? { url } : { url, meta };
        this.#print({ event, at, node: this.#grapevine.name, id: name, value });
      }
      await this.#output.room();
    }
  }

  async #printChanges(gossip: Gossip): Promise<void> {
    for await (const change of gossip.changes()) {
      const common = { at: wallMs(), node: this.#grapevine.name, gossip: gossip.name };
      switch (change.type) {
        case 'snapshot':
          this.#print({ event: 'snapshot', ...common, entries: change.entries.map(printed) });
          break;
        case 'update':
          this.#print({ event: 'update', ...common, ...printed(change) });
          break;
        case 'removed':
        case 'expired':
          this.#print({ event: change.type, ...common, id: change.id, origin: change.origin.name });
          break;
        case 'deadletter':
          this.#print({
            event: 'deadletter',
            ...common,
            ...printed(change.letter),
            error: String(change.letter.error),
          });
          break;
        default:
          change satisfies never;
      }
      const room = this.#output.room();
      if (room !== null) await room;
    }
  }

  #printStatus(): void {
    for (const gossip of this.#gossips.values())
      this.#print({
        event: 'status',
        at: wallMs(),
        node: this.#grapevine.name,
        gossip: gossip.name,
        ...gossip.status(),
      });
  }

  /** @returns how to stop */
  #writeVitals(): () => void {
    const gossip = this.#options.vitals === undefined ? undefined : this.#gossips.get(this.#options.vitals);
    if (gossip === undefined) return () => undefined;
    const signs = new VitalSigns();
    const others = [...this.#gossips.values()].filter((other) => other !== gossip);
    const write = (): void => {
      const ids = others.reduce((sum, { size }) => sum + size, 0);
      // A write that fails now was beaten by the end of the node, or comes again in a second.
      gossip.add(this.#grapevine.name, signs.read(ids), { expiresIn: VITALS_EXPIRE_MS }).catch(() => undefined);
    };
    write();
    const timer = setInterval(write, VITALS_EVERY_MS);
    return () => {
      clearInterval(timer);
      signs.stop();
    };
  }

  #print(event: AgentEvent): void {
    this.#output.write(this.#show(event));
  }
}

/**
 * Keeps a pipe open that is standard input, so that it does not end with its first writer: others may open a FIFO by its name
 * later. Opened for both ways, it waits for nobody. Linux opens a pipe by its descriptor; elsewhere the first end stays the last.
 */
function holdOpen(): void {
  try {
    if (fstatSync(0).isFIFO()) openSync('/proc/self/fd/0', constants.O_RDWR | constants.O_NONBLOCK);
  } catch {
    // It is read to its end, as any other input.
  }
}

/** SIGTERM and SIGINT ask to leave; a second one does not wait. */
function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = (): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve();
    };
    process.on('SIGTERM', ask);
    process.on('SIGINT', ask);
  });
}

function printed({
  id,
  value,
  origin,
  expiresAt,
  ephemeral = false,
}: {
  readonly id: string;
  readonly value: unknown;
  readonly origin: { readonly name: string };
  readonly expiresAt?: number | undefined;
  readonly ephemeral?: boolean;
}): PrintedEntry {
  return { id, value, origin: origin.name, expiresAt, ...(ephemeral ? { ephemeral } : {}) };
}

function after(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs).unref();
  });
}
