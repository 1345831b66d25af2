/** The stage of a test: nodes on one network, watched, and closed at the end. */
import type { DialEnd } from '@grapevine/core';
import type { TransportOptions } from '../options.ts';
import type { Session } from '../session.ts';
import type { Refusal, Transport, TransportEvents } from '../transport.ts';

/** One network, made anew for every test. */
export interface Harness {
  create(options: TransportOptions): Transport;
  /** The options to listen at a place that is free, and again at the same place when called with the URL that it led to. */
  listenAt(url: string | null): { readonly host?: string; readonly port: number };
  /** A way to the node at `url` that can be cut so that neither side is told. `names` are those of its two ends. */
  through(url: string, names: readonly [string, string]): Promise<{ readonly url: string; cut(): void }>;
  dispose(): Promise<void>;
}

export interface Probe {
  readonly name: string;
  readonly transport: Transport;
  readonly url: string;
  readonly log: string[];
  readonly refusals: Refusal[];
  readonly dialFailures: string[];
  readonly dialEnds: DialEnd[];
  readonly received: Uint8Array[];
  readonly batches: number[];
  /** The only session; fails when there is none or more. */
  session(): Session;
}

/** Delays of a node that nothing has to be waited for. */
export const fast = {
  redialMinMs: 2,
  redialMaxMs: 30,
  stableAfterMs: 0,
  pingIntervalMs: 60_000,
  closeTimeoutMs: 2000,
} as const;

/** Waits until the condition holds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 4000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The probes of one test: starts transports, watches what they tell, and closes them all. */
export class Scene {
  readonly #harness: Harness;
  readonly #probes: Probe[] = [];
  readonly #timers = new Set<object>();
  readonly #violations: string[] = [];
  #epoch = 1000;

  constructor(harness: Harness) {
    this.#harness = harness;
  }

  get harness(): Harness {
    return this.#harness;
  }

  async node(
    name: string,
    options: Partial<TransportOptions> = {},
    events: Partial<TransportEvents> = {},
  ): Promise<Probe> {
    const transport = this.#harness.create({
      ...fast,
      name,
      epoch: ++this.#epoch,
      listen: this.#harness.listenAt(null),
      setTimer: (delayMs, run) => this.#setTimer(delayMs, run),
      ...options,
    });
    const open = new Map<string, Session>();
    const probe = {
      name,
      transport,
      log: [],
      refusals: [],
      dialFailures: [],
      dialEnds: [],
      received: [],
      batches: [],
    } as unknown as Omit<Probe, 'url'> & { url: string };
    Object.assign(probe, { session: () => onlyOf([...transport.sessions()]) });
    this.#probes.push(probe);
    const { url } = await transport.start({
      opened: (session) => {
        if (open.has(session.peer.name)) this.#violations.push(`${name} has two sessions with ${session.peer.name}`);
        open.set(session.peer.name, session);
        probe.log.push(`opened ${session.peer.name}`);
        session.onFrames = (frames) => {
          probe.received.push(...frames.map((frame) => Uint8Array.from(frame)));
          probe.batches.push(frames.length);
        };
        events.opened?.(session);
      },
      closed: (session, info) => {
        if (open.get(session.peer.name) !== session) this.#violations.push(`${name} closed what was not open`);
        open.delete(session.peer.name);
        probe.log.push(
          `closed ${session.peer.name} ${info.code}${info.error === undefined ? '' : ` ${info.error.code}`}`,
        );
        events.closed?.(session, info);
      },
      refused: (refusal) => probe.refusals.push(refusal),
      dialFailed: (failed, error) => probe.dialFailures.push(`${failed} ${error.code}`),
      dialEnded: (end) => {
        probe.dialEnds.push(end);
        if (end.outcome === 'connected') probe.log.push(`connected ${end.peer?.name}`);
        events.dialEnded?.(end);
      },
    });
    probe.url = url ?? '';
    return probe;
  }

  /** Closes all. @returns what was wrong */
  async end(): Promise<string[]> {
    await Promise.all(this.#probes.map(({ transport }) => transport.close()));
    await this.#harness.dispose();
    for (const { name, log } of this.#probes) {
      const times = (event: string): number => log.filter((line) => line.startsWith(event)).length;
      if (times('opened') !== times('closed')) this.#violations.push(`${name} was left with ${log.join(', ')}`);
    }
    if (this.#timers.size > 0) this.#violations.push(`${this.#timers.size} timers are left`);
    return this.#violations;
  }

  #setTimer(delayMs: number, run: () => void): () => void {
    const key = {};
    this.#timers.add(key);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      run();
    }, delayMs);
    return () => {
      this.#timers.delete(key);
      clearTimeout(timer);
    };
  }
}

/** Has `a` dial `b`, and waits until they have met. */
export async function connect(a: Probe, b: Probe): Promise<void> {
  a.transport.dial([b.url]);
  await connected(a, b);
}

/** How many sessions are open. */
export function count(transport: Transport): number {
  return [...transport.sessions()].length;
}

function onlyOf(sessions: readonly Session[]): Session {
  const [session] = sessions;
  if (session === undefined || sessions.length > 1) throw new Error(`${sessions.length} sessions are open, not one`);
  return session;
}

/** Waits until the two have their one connection. */
export async function connected(a: Probe, b: Probe): Promise<void> {
  await until(`${a.name} and ${b.name} meet`, () => count(a.transport) === 1 && count(b.transport) === 1);
}

/** Whether the pair still has its one connection after several round trips. */
export async function stays(a: Probe, b: Probe): Promise<boolean> {
  const before = [a.session(), b.session()];
  for (let round = 1; round <= 5; round++) {
    const [atA, atB] = [a.received.length, b.received.length];
    a.session().send(bytes('there'), 'reply');
    await until('a frame there', () => b.received.length > atB);
    b.session().send(bytes('and back'), 'reply');
    await until('a frame back', () => a.received.length > atA);
  }
  return a.session() === before[0] && b.session() === before[1];
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Whether the frames are the same, byte by byte. */
export function same(actual: readonly Uint8Array[], expected: readonly Uint8Array[]): boolean {
  return (
    actual.length === expected.length &&
    actual.every((frame, index) => Buffer.compare(frame, expected[index] as Uint8Array) === 0)
  );
}
