/**
 * What every transport must do, as a suite that a test runner and a medium are given to.
 *
 * Invariants
 *  1. No test waits for a duration: it waits for a condition, and fails with its name when that does not come.
 *  2. Every test also proves that `opened` and `closed` come in pairs, one session per peer, and that `close` leaves no
 *     timer behind.
 */
import type { DialEnd } from '@grapevine/core';
import { closeCodes } from './close-codes.ts';
import type { TransportOptions } from './options.ts';
import type { Session } from './session.ts';
import type { Refusal, Transport, TransportEvents } from './transport.ts';

/** What is needed of a test runner; Jest and Vitest have it. */
export interface Runner {
  readonly describe: (name: string, body: () => void) => void;
  readonly test: (name: string, body: () => Promise<void>) => void;
  readonly expect: (actual: unknown) => {
    toBe(expected: unknown): void;
    toEqual(expected: unknown): void;
    toMatchObject(expected: object): void;
    toBeGreaterThan(expected: number): void;
    toBeLessThan(expected: number): void;
  };
}

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

const fast = {
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

/** Registers the suite with the runner. */
export function transportSuite({ describe, test, expect }: Runner, name: string, makeHarness: () => Harness): void {
  const scene = (title: string, play: (stage: Scene) => Promise<void>): void =>
    test(title, async () => {
      const stage = new Scene(makeHarness());
      let violations: string[] = [];
      try {
        await play(stage);
      } finally {
        violations = await stage.end();
      }
      expect(violations).toEqual([]);
    });

  const connect = async (a: Probe, b: Probe): Promise<void> => {
    a.transport.dial([b.url]);
    await connected(a, b);
  };

  describe(`${name}: meeting`, () => {
    scene('two nodes learn from the hellos who the other is', async (stage) => {
      const a = await stage.node('a', { epoch: 5, capabilities: ['x', 'y'] });
      const b = await stage.node('b', { epoch: 7 });
      await connect(a, b);
      expect(a.session().peer).toEqual({ name: 'b', epoch: 7, url: b.url, capabilities: [], version: 1 });
      expect(b.session().peer).toEqual({ name: 'a', epoch: 5, url: a.url, capabilities: ['x', 'y'], version: 1 });
      expect([a.session().dialled, b.session().dialled]).toEqual([true, false]);
    });

    scene('the highest common version is spoken', async (stage) => {
      const a = await stage.node('a', { versions: { min: 1, max: 4 } });
      const b = await stage.node('b', { versions: { min: 2, max: 3 } });
      await connect(a, b);
      expect([a.session().peer.version, b.session().peer.version]).toEqual([3, 3]);
    });

    scene('a node that does not listen can dial', async (stage) => {
      const a = await stage.node('a', { listen: null });
      const b = await stage.node('b');
      await connect(a, b);
      expect(b.session().peer.url).toBe(null);
    });

    scene('crossing dials end as one connection, again and again', async (stage) => {
      for (let round = 0; round < 25; round++) {
        const a = await stage.node(`a${round}`);
        const b = await stage.node(`b${round}`);
        a.transport.dial([b.url]);
        b.transport.dial([a.url]);
        await connected(a, b);
        expect(await stays(a, b)).toBe(true);
        expect(a.session().dialled).toBe(!b.session().dialled);
        await Promise.all([a.transport.close(), b.transport.close()]);
        expect([...a.refusals, ...b.refusals]).toEqual([]);
      }
    });

    scene('a full mesh where everybody dials everybody ends with one connection per pair', async (stage) => {
      const nodes = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((each) => stage.node(each)));
      for (const { transport } of nodes) transport.dial(nodes.map(({ url }) => url));
      const complete = (): boolean => nodes.every((node) => count(node.transport) === nodes.length - 1);
      await until('a full mesh', complete);
      for (const node of nodes) for (const session of node.transport.sessions()) session.send(bytes('x'), 'reply');
      await until('a frame over every connection', () =>
        nodes.every(({ received }) => received.length === nodes.length - 1),
      );
      expect(complete()).toBe(true);
      expect(nodes.flatMap(({ refusals }) => refusals)).toEqual([]);
    });

    scene('a peer that has dialled us is not dialled again while connected, but is when it is lost', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      await connect(b, a);
      a.transport.dial([b.url]);
      expect(await stays(a, b)).toBe(true);
      expect(a.session().dialled).toBe(false);
      b.transport.dial([]);
      b.session().close(closeCodes.NORMAL, 'enough');
      await until('a dials b', () => count(a.transport) === 1 && a.session().dialled);
    });

    scene('several URLs of one node make one connection, and the session stays the same', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      const [one, other] = [
        await stage.harness.through(b.url, ['a', 'b']),
        await stage.harness.through(b.url, ['a', 'b']),
      ];
      a.transport.dial([one.url, other.url, b.url]);
      await connected(a, b);
      expect(await stays(a, b)).toBe(true);
      expect(a.log).toEqual(['opened b']);
      expect(b.log).toEqual(['opened a']);
    });

    scene('a node that dials itself keeps quiet about it', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      a.transport.dial([a.url, b.url]);
      await connected(a, b);
      expect(await stays(a, b)).toBe(true);
      expect([a.refusals, a.dialFailures, a.log]).toEqual([[], [], ['opened b']]);
    });
  });

  describe(`${name}: refusing`, () => {
    const refusal = (url: string | null, by: string, code: string, peer: string | null): object => ({
      url,
      by,
      peer,
      error: { code },
    });

    scene('another cluster is refused as WRONG_CLUSTER on both sides', async (stage) => {
      const a = await stage.node('a', { cluster: 'blue' });
      const b = await stage.node('b', { cluster: 'green' });
      a.transport.dial([b.url]);
      await until('both know', () => a.refusals.length > 0 && b.refusals.length > 0);
      expect(a.refusals[0]).toMatchObject(refusal(b.url, 'peer', 'WRONG_CLUSTER', null));
      expect(b.refusals[0]).toMatchObject(refusal(null, 'us', 'WRONG_CLUSTER', null));
      expect(a.refusals[0]?.error.message.includes('"blue" meets "green"')).toBe(true);
    });

    scene('versions that do not meet are refused as VERSION_UNSPEAKABLE on both sides', async (stage) => {
      const a = await stage.node('a', { versions: { min: 1, max: 2 } });
      const b = await stage.node('b', { versions: { min: 3, max: 4 } });
      a.transport.dial([b.url]);
      await until('both know', () => a.refusals.length > 0 && b.refusals.length > 0);
      expect(a.refusals[0]).toMatchObject(refusal(b.url, 'peer', 'VERSION_UNSPEAKABLE', null));
      expect(b.refusals[0]).toMatchObject(refusal(null, 'us', 'VERSION_UNSPEAKABLE', null));
    });

    scene('two nodes of one name refuse each other as NAME_TAKEN', async (stage) => {
      const a = await stage.node('same');
      const b = await stage.node('same');
      a.transport.dial([b.url]);
      await until('both know', () => a.refusals.length > 0 && b.refusals.length > 0);
      expect(a.refusals[0]).toMatchObject(refusal(b.url, 'peer', 'NAME_TAKEN', null));
      expect(b.refusals[0]).toMatchObject(refusal(null, 'us', 'NAME_TAKEN', 'same'));
    });

    scene(
      'a lower epoch of a connected name is refused as NAME_TAKEN, and the connected one is unharmed',
      async (stage) => {
        const a = await stage.node('a');
        const young = await stage.node('b', { epoch: 8 });
        const old = await stage.node('b', { epoch: 7 });
        await connect(young, a);
        old.transport.dial([a.url]);
        await until('the old one knows', () => old.refusals.length > 0);
        expect(old.refusals[0]).toMatchObject(refusal(a.url, 'peer', 'NAME_TAKEN', null));
        expect(await stays(a, young)).toBe(true);
        expect(a.log).toEqual(['opened b']);
      },
    );
  });

  describe(`${name}: of one name`, () => {
    const replaced = ['opened b', `closed b ${closeCodes.REPLACED}`, 'opened b'];
    /** So long that no test waits for it. */
    const patient = { handshakeTimeoutMs: 60_000, rivalTimeoutMs: 60_000 };
    /** Options that tell how many turns of the wait for a former self have begun, and how many are over. */
    const watchful = (rivalTimeoutMs: number): { options: Partial<TransportOptions>; begun: number; over: number } => {
      const setTimer = (delayMs: number, run: () => void): (() => void) => {
        const isTurn = delayMs === rivalTimeoutMs / 2;
        if (isTurn) watch.begun++;
        const timer = setTimeout(() => {
          if (isTurn) watch.over++;
          run();
        }, delayMs);
        return () => clearTimeout(timer);
      };
      const watch = { options: { handshakeTimeoutMs: 60_000, rivalTimeoutMs, setTimer }, begun: 0, over: 0 };
      return watch;
    };

    scene('who comes with the URL of its former self takes its place without a question', async (stage) => {
      const a = await stage.node('a', patient);
      const old = await stage.node('b', { epoch: 7 });
      await connect(old, a);
      old.transport.dial([]);
      old.session().pause();
      const young = await stage.node('b', { epoch: 8, advertise: old.url });
      young.transport.dial([a.url]);
      await until('the replacement', () => a.log.length === 3);
      expect([a.log, a.session().peer.epoch]).toEqual([replaced, 8]);
      old.session().resume();
      await until('the old one knows', () => old.log.includes(`closed a ${closeCodes.REPLACED}`));
    });

    scene('who dials while its former self lives is refused, and both sides say so', async (stage) => {
      const a = await stage.node('a', patient);
      const old = await stage.node('b', { epoch: 7 });
      const young = await stage.node('b', { epoch: 8, listen: null });
      await connect(old, a);
      young.transport.connect(a.url);
      await until('the answer', () => young.dialEnds.length === 1 && a.refusals.length === 1);
      expect(young.dialEnds).toMatchObject([{ outcome: 'refused', error: { code: 'NAME_TAKEN' } }]);
      expect(young.refusals).toMatchObject([{ url: a.url, by: 'peer', error: { code: 'NAME_TAKEN' } }]);
      expect(a.refusals).toMatchObject([{ url: null, by: 'us', peer: 'b', error: { code: 'NAME_TAKEN' } }]);
      const sentence = 'a living node bears this name: give each its own name; it is at ';
      expect(young.refusals[0]?.error.message).toBe(`${sentence}${old.url}`);
      expect(await stays(a, old)).toBe(true);
      expect([a.log, young.log]).toEqual([['opened b'], []]);
    });

    scene('who is dialled while its former self lives is refused, and both sides say so', async (stage) => {
      const a = await stage.node('a', patient);
      const old = await stage.node('b', { epoch: 7, listen: null });
      const young = await stage.node('b', { epoch: 8 });
      await connect(old, a);
      a.transport.connect(young.url);
      await until('the answer', () => a.dialEnds.length === 1 && young.refusals.length === 1);
      const refused = { outcome: 'refused', peer: { name: 'b', epoch: 8 }, error: { code: 'NAME_TAKEN' } };
      expect(a.dialEnds).toMatchObject([refused]);
      expect(a.refusals).toMatchObject([{ url: young.url, by: 'us', peer: 'b', error: { code: 'NAME_TAKEN' } }]);
      expect(young.refusals).toMatchObject([{ url: null, by: 'peer', peer: 'a', error: { code: 'NAME_TAKEN' } }]);
      expect(await stays(a, old)).toBe(true);
    });

    // Who does not read answers no ping.
    scene('who dials takes the place of a former self that stays silent', async (stage) => {
      const a = await stage.node('a', { rivalTimeoutMs: 20 });
      const old = await stage.node('b', { epoch: 7, listen: null });
      const young = await stage.node('b', { epoch: 8 });
      await connect(old, a);
      old.transport.dial([]);
      old.session().pause();
      young.transport.connect(a.url);
      await until('the replacement', () => a.log.length === 3 && young.log.length === 2);
      expect([a.log, a.session().peer.epoch]).toEqual([replaced, 8]);
      expect([a.refusals, young.refusals]).toEqual([[], []]);
      expect(await stays(a, young)).toBe(true);
    });

    scene('who is dialled takes the place of a former self that stays silent', async (stage) => {
      const a = await stage.node('a', { rivalTimeoutMs: 20 });
      const old = await stage.node('b', { epoch: 7, listen: null });
      const young = await stage.node('b', { epoch: 8 });
      await connect(old, a);
      old.transport.dial([]);
      old.session().pause();
      a.transport.connect(young.url);
      await until('the replacement', () => a.log.length === 4 && young.log.length === 1);
      expect([a.log, a.session().peer.epoch]).toEqual([[...replaced, 'connected b'], 8]);
      expect(await stays(a, young)).toBe(true);
    });

    scene('who restarts so fast that its hello comes before its former end gets in with that end', async (stage) => {
      const watch = watchful(30_000);
      const a = await stage.node('a', watch.options);
      const old = await stage.node('b', { epoch: 7 });
      const young = await stage.node('b', { epoch: 8, listen: null });
      await connect(old, a);
      old.transport.dial([]);
      old.session().pause();
      young.transport.connect(a.url);
      await until('the question', () => watch.begun === 1);
      old.session().close(closeCodes.NORMAL, 'the end, late');
      await connected(a, young);
      expect(a.log).toEqual(['opened b', `closed b ${closeCodes.NORMAL}`, 'opened b']);
      expect(a.session().peer.epoch).toBe(8);
      expect(await stays(a, young)).toBe(true);
    });

    scene('a former self that we do not read ourselves counts as living', async (stage) => {
      const a = await stage.node('a', { rivalTimeoutMs: 20 });
      const old = await stage.node('b', { epoch: 7 });
      const young = await stage.node('b', { epoch: 8, listen: null });
      await connect(old, a);
      a.session().pause();
      young.transport.connect(a.url);
      await until('the answer', () => young.dialEnds.length === 1);
      expect(young.dialEnds).toMatchObject([{ outcome: 'refused', error: { code: 'NAME_TAKEN' } }]);
      a.session().resume();
      expect(await stays(a, old)).toBe(true);
    });

    scene('who goes away during the question leaves the former self as it was', async (stage) => {
      const watch = watchful(300);
      const a = await stage.node('a', watch.options);
      const old = await stage.node('b', { epoch: 7 });
      const young = await stage.node('b', { epoch: 8, listen: null });
      await connect(old, a);
      old.session().pause();
      young.transport.connect(a.url);
      await until('the question', () => watch.begun === 1);
      await young.transport.close();
      await until('the time is up', () => watch.over === 2);
      old.session().resume();
      expect(await stays(a, old)).toBe(true);
      expect([a.log, young.dialEnds]).toEqual([['opened b'], []]);
    });

    scene('who asks while it ends itself leaves nothing behind', async (stage) => {
      const watch = watchful(30_000);
      const a = await stage.node('a', watch.options);
      const old = await stage.node('b', { epoch: 7 });
      const young = await stage.node('b', { epoch: 8, listen: null });
      await connect(old, a);
      old.session().pause();
      young.transport.connect(a.url);
      await until('the question', () => watch.begun === 1);
      const closing = a.transport.close();
      old.session().resume();
      await closing;
      expect(a.log).toEqual(['opened b', `closed b ${closeCodes.GOING_AWAY}`]);
    });

    scene('dials that cross beside a silent former self end as one connection, again and again', async (stage) => {
      for (let round = 0; round < 20; round++) {
        const a = await stage.node('a', { rivalTimeoutMs: 4 });
        const old = await stage.node('b', { listen: null });
        const young = await stage.node('b');
        await connect(old, a);
        old.transport.dial([]);
        old.session().pause();
        a.transport.dial([young.url]);
        young.transport.dial([a.url]);
        await until('the replacement', () => count(young.transport) === 1 && a.session().peer.url === young.url);
        expect(await stays(a, young)).toBe(true);
        expect([...a.refusals, ...young.refusals]).toEqual([]);
        await Promise.all([a, old, young].map(({ transport }) => transport.close()));
      }
    });
  });

  describe(`${name}: room`, () => {
    scene('for one connection more is not made: the dialler is refused, and both sides say so', async (stage) => {
      const a = await stage.node('a', { maxConnections: 1 });
      const b = await stage.node('b');
      const c = await stage.node('c');
      await connect(b, a);
      c.transport.connect(a.url);
      await until('both know', () => c.dialEnds.length === 1 && a.refusals.length === 1);
      expect(c.dialEnds).toMatchObject([{ outcome: 'refused', error: { code: 'TOO_MANY_CONNECTIONS' } }]);
      expect(c.refusals).toMatchObject([{ url: a.url, by: 'peer', error: { code: 'TOO_MANY_CONNECTIONS' } }]);
      expect(a.refusals).toMatchObject([{ url: null, by: 'us', peer: 'c', error: { code: 'TOO_MANY_CONNECTIONS' } }]);
      const sentence = 'all 1 connections of "a" are taken: raise its maxConnections';
      expect(c.refusals[0]?.error.message).toBe(sentence);
      expect(await stays(a, b)).toBe(true);
    });

    scene('is not needed by who replaces its broken connection', async (stage) => {
      const a = await stage.node('a', { pingIntervalMs: 20, closeTimeoutMs: 50 });
      const b = await stage.node('b', { maxConnections: 1 });
      const wire = await stage.harness.through(b.url, ['a', 'b']);
      a.transport.dial([wire.url]);
      await connected(a, b);
      wire.cut();
      await until('a notices', () => a.log.length === 2);
      const way = await stage.harness.through(b.url, ['a', 'b']);
      a.transport.dial([way.url]);
      await until('a and b meet again', () => b.log.length === 3 && count(a.transport) === 1);
      expect(b.refusals).toEqual([]);
    });

    scene('that is lacking keeps our own dials back, until there is some', async (stage) => {
      const a = await stage.node('a', { maxConnections: 1 });
      const b = await stage.node('b');
      const c = await stage.node('c');
      await connect(b, a);
      a.transport.connect(c.url);
      await until('the answer', () => a.dialEnds.length === 1);
      expect(a.dialEnds).toMatchObject([{ outcome: 'failed', peer: null, error: { code: 'TOO_MANY_CONNECTIONS' } }]);
      a.transport.dial([c.url]);
      await until('two failures', () => a.dialFailures.length >= 2);
      expect(a.dialFailures[1]).toBe(`${c.url} TOO_MANY_CONNECTIONS`);
      expect([c.log, c.refusals]).toEqual([[], []]);
      await b.transport.close();
      await connected(a, c);
    });

    scene('is never exceeded, however many come at once', async (stage) => {
      let most = 0;
      const opened = (): void => void (most = Math.max(most, count(a.transport)));
      const a: Probe = await stage.node('a', { maxConnections: 5 }, { opened });
      const others = await Promise.all(Array.from({ length: 30 }, (_, index) => stage.node(`b${index}`)));
      for (const { transport } of others.slice(0, 15)) transport.connect(a.url);
      a.transport.dial(others.slice(15).map(({ url }) => url));
      await until('all who dialled know', () => others.slice(0, 15).every(({ dialEnds }) => dialEnds.length === 1));
      await until('it is full', () => count(a.transport) === 5);
      expect(most).toBe(5);
    });
  });

  describe(`${name}: keys`, () => {
    // Texts, so that this file needs nothing of Node.js; random ones belong into clusters.
    const [current, older, foreign] = ['current', 'older', 'foreign'].map(
      (each) => `a key for tests alone: ${each}`,
    ) as [string, string, string];
    const keyed = (...keys: string[]): Partial<TransportOptions> => ({ security: { keys } });
    const none: Partial<TransportOptions> = { security: {} };

    scene('that are the same let nodes meet, whoever dials, and nothing else changes', async (stage) => {
      const a = await stage.node('a', { ...keyed(current), epoch: 5, capabilities: ['x'] });
      const b = await stage.node('b', { ...keyed(current), epoch: 7 });
      await connect(a, b);
      expect(a.session().peer).toEqual({ name: 'b', epoch: 7, url: b.url, capabilities: [], version: 1 });
      expect(b.session().peer).toEqual({ name: 'a', epoch: 5, url: a.url, capabilities: ['x'], version: 1 });
      expect(await stays(a, b)).toBe(true);
    });

    scene('that differ are refused as KEY_MISMATCH on both sides, and nobody learns a name', async (stage) => {
      const a = await stage.node('a', keyed(current));
      const b = await stage.node('b', keyed(foreign));
      a.transport.connect(b.url);
      await until('both know', () => a.refusals.length > 0 && b.refusals.length > 0 && a.dialEnds.length > 0);
      expect(a.refusals).toMatchObject([{ url: b.url, by: 'peer', peer: null, error: { code: 'KEY_MISMATCH' } }]);
      expect(b.refusals).toMatchObject([{ url: null, by: 'us', peer: null, error: { code: 'KEY_MISMATCH' } }]);
      expect(a.dialEnds).toMatchObject([{ outcome: 'refused', peer: null, error: { code: 'KEY_MISMATCH' } }]);
      expect(b.refusals[0]?.error.message).toBe('the dialler proves no key that is listed: compare security.keys');
      expect([a.log, b.log]).toEqual([[], []]);
    });

    scene('that one has and the other has not are refused as KEY_REQUIRED, whoever dials', async (stage) => {
      const a = await stage.node('a', keyed(current));
      const b = await stage.node('b', none);
      for (const [dialler, dialled] of [
        [a, b],
        [b, a],
      ] as const) {
        const [before, there] = [dialler.refusals.length, dialled.refusals.length];
        dialler.transport.connect(dialled.url);
        await until('both know', () => dialler.refusals.length > before && dialled.refusals.length > there);
        expect(dialler.refusals[before]).toMatchObject({
          url: dialled.url,
          by: 'peer',
          error: { code: 'KEY_REQUIRED' },
        });
        expect(dialled.refusals[there]).toMatchObject({ url: null, by: 'us', error: { code: 'KEY_REQUIRED' } });
      }
      const cure = 'give both the same security.keys';
      expect(a.refusals.map(({ error }) => error.message)).toEqual([
        `the dialler has keys, the node that it dials has none: ${cure}`,
        `the dialled node has keys, the dialler has none: ${cure}`,
      ]);
      expect([a.log, b.log]).toEqual([[], []]);
    });

    scene('of which each lists that of the other are enough, in any order', async (stage) => {
      const lists = [[older], [older, current], [current, older]];
      const nodes: Probe[] = [];
      for (const [index, keys] of lists.entries()) nodes.push(await stage.node(`n${index}`, keyed(...keys)));
      for (const dialler of nodes) for (const dialled of nodes) dialler.transport.connect(dialled.url);
      // n0 does not list what n2 proves itself with.
      const met = ({ transport }: Probe): string => [...transport.sessions()].map(({ peer }) => peer.name).join();
      await until('two sessions', () => met(nodes[1] as Probe).length === 5);
      await until('refusals', () =>
        nodes.every(({ refusals, name: who }) => refusals.length === (who === 'n1' ? 0 : 2)),
      );
      expect(nodes.map(met).map((names) => names.split(',').toSorted())).toEqual([['n1'], ['n0', 'n2'], ['n1']]);
    });

    scene('rotate in a running cluster by three steps, and no session ends before the last', async (stage) => {
      const nodes = await Promise.all(['a', 'b', 'c'].map((each) => stage.node(each, keyed(older))));
      for (const { transport } of nodes) transport.dial(nodes.map(({ url }) => url));
      await until('a mesh', () => nodes.every(({ transport }) => count(transport) === 2));
      for (const keys of [
        [older, current],
        [current, older],
      ])
        for (const { transport } of nodes) expect(transport.rotateKeys(keys)).toBe(0);
      const ended = (log: readonly string[]): number =>
        log.filter((line) => line.endsWith(` ${closeCodes.KEY_WITHDRAWN}`)).length;
      expect(nodes.map(({ log }) => ended(log))).toEqual([0, 0, 0]);
      let closed = 0;
      for (const { transport } of nodes) closed += transport.rotateKeys([current]);
      // Each end closes its own.
      expect(closed).toBe(6);
      await until('the sessions are new', () =>
        nodes.every(({ log, transport }) => ended(log) === 2 && count(transport) === 2),
      );
      expect(nodes.flatMap(({ refusals }) => refusals)).toEqual([]);
    });

    scene(
      'that are withdrawn end the sessions that they proved, and no others, and are refused from then',
      async (stage) => {
        const a = await stage.node('a', keyed(current, older));
        const b = await stage.node('b', keyed(current, older));
        const leaked = await stage.node('leaked', keyed(older, current));
        a.transport.dial([b.url, leaked.url]);
        await until('both sessions', () => count(a.transport) === 2);
        expect(a.transport.rotateKeys([current])).toBe(1);
        expect(a.log.at(-1)).toBe(`closed leaked ${closeCodes.KEY_WITHDRAWN}`);
        await until('it is told', () => leaked.log.at(-1) === `closed a ${closeCodes.KEY_WITHDRAWN}`);
        leaked.transport.connect(a.url);
        await until('both know', () => leaked.refusals.length > 0 && a.refusals.length > 0);
        expect(a.refusals[0]).toMatchObject({ by: 'us', error: { code: 'KEY_MISMATCH' } });
        a.transport.dial([]);
        expect(await stays(a, b)).toBe(true);
      },
    );

    scene('that are withdrawn leave the sessions alone where that is asked for', async (stage) => {
      const a = await stage.node('a', keyed(older, current));
      const b = await stage.node('b', keyed(older, current));
      await connect(a, b);
      expect(a.transport.rotateKeys([current], { keepSessions: true })).toBe(0);
      expect(await stays(a, b)).toBe(true);
    });

    scene(
      'that are none are refused, and those of before stay; a node that began without takes none',
      async (stage) => {
        const a = await stage.node('a', keyed(current));
        const b = await stage.node('b', keyed(current));
        const c = await stage.node('c', none);
        const codes: unknown[] = [];
        for (const [probe, keys] of [
          [a, []],
          [a, ['too short']],
          [a, [foreign, foreign]],
          [c, [current]],
        ] as const) {
          try {
            probe.transport.rotateKeys(keys);
          } catch (error) {
            codes.push((error as { readonly code: unknown }).code);
          }
        }
        expect(codes).toEqual(Array.from({ length: 4 }, () => 'OPTIONS_INVALID'));
        await connect(a, b);
      },
    );

    scene('keep a stranger from the place, the attention and the room of a living node', async (stage) => {
      let asked = 0;
      const counting = (delayMs: number, run: () => void): (() => void) => {
        if (delayMs === 7777) asked++;
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      };
      // The question to a former self waits for half of that.
      const a = await stage.node('a', {
        ...keyed(current),
        maxConnections: 1,
        handshakeTimeoutMs: 60_000,
        rivalTimeoutMs: 2 * 7777,
        setTimer: counting,
      });
      const b = await stage.node('b', { ...keyed(current), epoch: 7 });
      await connect(b, a);
      for (const [index, epoch] of [6, 7, 8].entries()) {
        const stranger = await stage.node('b', { ...keyed(foreign), epoch, listen: null });
        stranger.transport.connect(a.url);
        await until('it is refused', () => stranger.dialEnds.length === 1 && a.refusals.length === index + 1);
        expect(stranger.dialEnds).toMatchObject([{ outcome: 'refused', error: { code: 'KEY_MISMATCH' } }]);
      }
      expect(asked).toBe(0);
      expect(await stays(a, b)).toBe(true);
      expect(a.log).toEqual(['opened b']);
    });
  });

  describe(`${name}: frames`, () => {
    scene('arrive whole and in order, both ways, and are counted', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      await connect(a, b);
      const frames = [1, 0, 125, 126, 65_535, 65_536, 300_000].map((length, index) =>
        new Uint8Array(length).fill(index + 1),
      );
      for (const frame of frames) {
        expect(a.session().send(frame, 'reply')).toBe(true);
        expect(b.session().send(frame, 'rumor')).toBe(true);
      }
      await until('all frames', () => a.received.length === frames.length && b.received.length === frames.length);
      expect(same(b.received, frames) && same(a.received, frames)).toBe(true);
      const total = frames.reduce((sum, { length }) => sum + length, 0);
      const counters = {
        framesIn: frames.length,
        framesOut: frames.length,
        bytesIn: total,
        bytesOut: total,
        dropped: 0,
      };
      expect([a.session().counters, b.session().counters]).toEqual([counters, counters]);
    });

    scene('of one turn are handed over in batches', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      await connect(a, b);
      for (let index = 0; index < 1000; index++) a.session().send(bytes(`frame ${index}`), 'rumor');
      await until('all frames', () => b.received.length === 1000);
      expect(b.batches.length).toBeLessThan(100);
      expect(
        same(
          b.received,
          Array.from({ length: 1000 }, (_, index) => bytes(`frame ${index}`)),
        ),
      ).toBe(true);
    });

    scene(
      'share no memory: one buffer sent to dialled and dialling peers stays as it was and arrives everywhere',
      async (stage) => {
        const hub = await stage.node('m');
        const peers = await Promise.all(['a', 'b', 'x', 'y'].map((each) => stage.node(each)));
        // Whoever receives may do with its frames what it likes.
        const vandal = (session: Session): void => {
          session.onFrames = (frames) => frames.forEach((each) => each.fill(0));
        };
        const v = await stage.node('v', {}, { opened: vandal });
        hub.transport.dial([v, ...peers.slice(0, 2)].map(({ url }) => url));
        for (const peer of peers.slice(2)) peer.transport.dial([hub.url]);
        await until('five sessions', () => count(hub.transport) === 5);
        const frame = Uint8Array.from({ length: 5000 }, (_, index) => index % 251);
        const view = frame.subarray(1, 40);
        const [whole, part] = [frame.slice(), view.slice()];
        for (let round = 0; round < 3; round++) {
          for (const session of hub.transport.sessions()) {
            session.send(frame, 'rumor');
            session.send(view, 'reply');
          }
        }
        await until('all frames', () => peers.every(({ received }) => received.length === 6));
        expect(same([frame], [whole])).toBe(true);
        for (const { received } of peers) expect(same(received, [whole, part, whole, part, whole, part])).toBe(true);
      },
    );

    scene('over maxFrameBytes are refused when sent, and nothing else happens', async (stage) => {
      const a = await stage.node('a', { maxFrameBytes: 20_000 });
      const b = await stage.node('b', { maxFrameBytes: 20_000 });
      await connect(a, b);
      let thrown: unknown;
      try {
        a.session().send(new Uint8Array(20_001), 'reply');
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'FRAME_TOO_LARGE', fault: 'caller', stateChanged: false });
      a.session().send(new Uint8Array(20_000), 'reply');
      await until('the frame', () => b.received.length === 1);
    });

    scene('sent from inside opened arrive', async (stage) => {
      const greet = { opened: (session: Session) => void session.send(bytes('hi'), 'reply') };
      const a = await stage.node('a', {}, greet);
      const b = await stage.node('b', {}, greet);
      await connect(a, b);
      await until('both greetings', () => a.received.length === 1 && b.received.length === 1);
    });
  });

  describe(`${name}: queues`, () => {
    const frame = (index: number): Uint8Array => {
      const made = new Uint8Array(60_000);
      new DataView(made.buffer).setUint32(0, index);
      return made;
    };
    const indexOf = (made: Uint8Array): number => new DataView(made.buffer, made.byteOffset).getUint32(0);

    scene(
      'a paused session hands over nothing, its sender turns unwritable, and resuming loses nothing',
      async (stage) => {
        let writableAgain = 0;
        const a = await stage.node('a', {}, { opened: (session) => void (session.onWritable = () => writableAgain++) });
        const b = await stage.node('b');
        await connect(a, b);
        b.session().pause();
        let sent = 0;
        while (sent < 40) a.session().send(frame(sent++), 'reply');
        await new Promise((resolve) => setImmediate(resolve));
        await until('backpressure', () => {
          if (a.session().writable) a.session().send(frame(sent++), 'reply');
          return !a.session().writable;
        });
        expect(b.received.length).toBe(0);
        b.session().resume();
        await until('all frames', () => b.received.length === sent);
        expect(b.received.map(indexOf)).toEqual(Array.from({ length: sent }, (_, index) => index));
        await until('writable again', () => a.session().writable);
        expect(writableAgain).toBeGreaterThan(0);
      },
    );

    scene('over the hard mark the oldest rumors are dropped and told, and replies all arrive', async (stage) => {
      const dropped: number[] = [];
      const limits = { softQueueBytes: 400_000, hardQueueBytes: 2_500_000 };
      const a = await stage.node('a', limits, {
        opened: (session) => void (session.onDropped = (each) => dropped.push(indexOf(each))),
      });
      const b = await stage.node('b');
      await connect(a, b);
      b.session().pause();
      const session = a.session();
      const replies: number[] = [];
      let sent = 0;
      // Enough in one turn that neither the kernel nor the socket can take it all.
      while (sent < 400) {
        const isReply = sent % 20 === 0;
        if (isReply) replies.push(sent);
        session.send(frame(sent++), isReply ? 'reply' : 'rumor');
      }
      expect(dropped.length).toBeGreaterThan(0);
      expect(session.counters.dropped).toBe(dropped.length);
      expect(dropped).toEqual([...dropped].sort((one, other) => one - other));
      expect(dropped.some((index) => index % 20 === 0)).toBe(false);
      b.session().resume();
      await until('the rest', () => b.received.length === sent - dropped.length);
      const missing = new Set(dropped);
      expect(b.received.map(indexOf)).toEqual(
        Array.from({ length: sent }, (_, index) => index).filter((index) => !missing.has(index)),
      );
      expect(missing.has(sent - 1)).toBe(false);
    });

    scene('replies over the hard mark end the session as TOO_SLOW, and the pair meets again', async (stage) => {
      const a = await stage.node('a', { softQueueBytes: 400_000, hardQueueBytes: 2_500_000 });
      const b = await stage.node('b');
      await connect(a, b);
      const session = a.session();
      let sent = 0;
      while (session.send(frame(sent), 'reply')) sent++;
      expect(a.log).toEqual(['opened b', `closed b ${closeCodes.TOO_SLOW} TOO_SLOW`]);
      expect(session.send(bytes('late'), 'reply')).toBe(false);
      await until('the peer knows', () => b.log.includes(`closed a ${closeCodes.TOO_SLOW} TOO_SLOW`));
      await connected(a, b);
    });

    scene('many tiny frames of one turn all arrive, from either side', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      await connect(a, b);
      for (let index = 0; index < 20_000; index++) {
        a.session().send(bytes('x'), 'rumor');
        b.session().send(bytes('y'), 'reply');
      }
      await until('all frames', () => a.received.length === 20_000 && b.received.length === 20_000);
    });

    scene('too many small frames count as well', async (stage) => {
      const a = await stage.node('a', { hardQueueFrames: 100 });
      const b = await stage.node('b');
      await connect(a, b);
      for (let index = 0; index < 20_000; index++) a.session().send(bytes('x'), 'rumor');
      const { dropped } = a.session().counters;
      expect(dropped).toBeGreaterThan(0);
      await until('the rest', () => b.received.length === 20_000 - dropped);
    });
  });

  describe(`${name}: single dials`, () => {
    const outcomes = ({ dialEnds }: Probe): string[] => dialEnds.map(({ outcome }) => outcome);

    scene('that reach a node are answered as connected, once the session is open', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b', { epoch: 7 });
      a.transport.connect(b.url);
      await until('the answer', () => a.dialEnds.length > 0);
      expect(a.log).toEqual(['opened b', 'connected b']);
      expect(a.dialEnds).toEqual([{ url: b.url, outcome: 'connected', peer: { name: 'b', epoch: 7 } }]);
      await connected(a, b);
      expect(await stays(a, b)).toBe(true);
    });

    scene('are not repeated when the session ends', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      const c = await stage.node('c');
      a.transport.connect(b.url);
      await connected(a, b);
      b.session().close(closeCodes.NORMAL, 'enough');
      await until('the end', () => count(a.transport) === 0);
      a.transport.dial([c.url]);
      await connected(a, c);
      c.session().close(closeCodes.NORMAL, 'enough');
      await until('c is dialled again, b is not', () => a.log.filter((line) => line === 'opened c').length === 2);
      expect([b.log.filter((line) => line === 'opened a').length, a.dialEnds.length]).toEqual([1, 1]);
    });

    scene('to a node that is connected are answered as duplicate, whoever dialled', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b', { epoch: 7 });
      const other = await stage.harness.through(b.url, ['a', 'b']);
      await connect(b, a);
      a.transport.connect(b.url);
      const duplicate = { url: b.url, outcome: 'duplicate', peer: { name: 'b', epoch: 7 } };
      // Told from inside, so without a dial.
      expect(a.dialEnds).toEqual([duplicate]);
      a.transport.connect(other.url);
      await until('the second answer', () => a.dialEnds.length > 1);
      expect(a.dialEnds[1]).toEqual({ ...duplicate, url: other.url });
      expect(await stays(a, b)).toBe(true);
    });

    scene('of one URL share one dial, and each is answered', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      a.transport.connect(b.url);
      a.transport.connect(b.url);
      await until('two answers', () => a.dialEnds.length === 2);
      expect(outcomes(a)).toEqual(['connected', 'connected']);
      a.transport.connect('nonsense');
      a.transport.connect('nonsense');
      expect(outcomes(a).slice(2)).toEqual(['failed', 'failed']);
      expect(a.dialEnds[2]).toMatchObject({ url: 'nonsense', peer: null, error: { code: 'OPTIONS_INVALID' } });
    });

    scene('of a URL that is dialled on as well leave that alone', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      a.transport.dial([b.url]);
      a.transport.connect(b.url);
      await until('the answer', () => a.dialEnds.length === 1);
      await connected(a, b);
      expect(await stays(a, b)).toBe(true);
      for (let round = 2; round < 5; round++) {
        b.session().close(closeCodes.NORMAL, 'enough');
        await until('a dials again', () => a.log.filter((line) => line === 'opened b').length === round);
        await connected(a, b);
      }
      expect([a.dialEnds.length, a.dialFailures]).toEqual([1, []]);
    });

    scene('that cross end as one connection, and both are answered', async (stage) => {
      for (let round = 0; round < 25; round++) {
        const a = await stage.node(`a${round}`);
        const b = await stage.node(`b${round}`);
        a.transport.connect(b.url);
        b.transport.connect(a.url);
        await until('both answers', () => a.dialEnds.length === 1 && b.dialEnds.length === 1);
        await connected(a, b);
        expect(await stays(a, b)).toBe(true);
        expect(['connected', 'duplicate'].includes(outcomes(a)[0] as string)).toBe(true);
        expect([...outcomes(a), ...outcomes(b)].includes('connected')).toBe(true);
        expect([...a.refusals, ...b.refusals]).toEqual([]);
        await Promise.all([a.transport.close(), b.transport.close()]);
      }
    });

    scene('of the node itself are answered as self', async (stage) => {
      const a = await stage.node('a', { epoch: 3 });
      a.transport.connect(a.url);
      await until('the answer', () => a.dialEnds.length === 1);
      expect(a.dialEnds).toEqual([{ url: a.url, outcome: 'self', peer: { name: 'a', epoch: 3 } }]);
      expect([a.log, a.refusals]).toEqual([[], []]);
    });

    scene('of another cluster are answered as refused, with the reason, and told as a refusal', async (stage) => {
      const a = await stage.node('a', { cluster: 'blue' });
      const b = await stage.node('b', { cluster: 'green' });
      a.transport.connect(b.url);
      await until('both know', () => a.dialEnds.length > 0 && b.refusals.length > 0);
      const refused = { url: b.url, outcome: 'refused', peer: null, error: { code: 'WRONG_CLUSTER' } };
      expect(a.dialEnds).toMatchObject([refused]);
      expect(a.refusals).toMatchObject([{ url: b.url, by: 'peer', error: { code: 'WRONG_CLUSTER' } }]);
    });

    scene('that nobody answers are answered as failed, once, and told nowhere else', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      await b.transport.close();
      a.transport.connect(b.url);
      await until('the answer', () => a.dialEnds.length > 0);
      const failed = { url: b.url, outcome: 'failed', peer: null, error: { code: 'PEER_UNREACHABLE' } };
      expect(a.dialEnds).toMatchObject([failed]);
      expect([a.dialFailures, a.refusals]).toEqual([[], []]);
    });

    scene('from inside an answer are dialled anew', async (stage) => {
      const b = await stage.node('b');
      await b.transport.close();
      const again = (end: DialEnd): void => {
        if (a.dialEnds.length < 3) a.transport.connect(end.url);
      };
      const a: Probe = await stage.node('a', {}, { dialEnded: again });
      a.transport.connect(b.url);
      await until('three answers', () => a.dialEnds.length === 3);
      expect(outcomes(a)).toEqual(['failed', 'failed', 'failed']);
    });

    scene('asked for before the start are dialled then; after the end nothing is told', async (stage) => {
      const b = await stage.node('b');
      const ends: DialEnd[] = [];
      const transport = stage.harness.create({ ...fast, name: 'a', epoch: 1 });
      transport.connect(b.url);
      const dialEnded = (end: DialEnd): void => void ends.push(end);
      await transport.start({ opened: () => {}, closed: () => {}, dialEnded });
      await until('the answer', () => ends.length === 1);
      transport.connect(`${b.url}/elsewhere`);
      const closing = transport.close();
      transport.connect(b.url);
      await closing;
      await until('b knows', () => b.log.length === 2);
      expect(ends.map(({ outcome }) => outcome)).toEqual(['connected']);
    });
  });

  describe(`${name}: releasing`, () => {
    scene('sends what waits, takes no more, and is no error on either side', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      a.transport.connect(b.url);
      await connected(a, b);
      const frame = new Uint8Array(50_000);
      for (let index = 0; index < 200; index++) a.session().send(frame, index % 2 === 0 ? 'rumor' : 'reply');
      const session = a.session();
      session.release();
      session.release();
      expect([session.send(bytes('late'), 'reply'), session.writable]).toEqual([false, false]);
      await until('both know', () => a.log.length === 3 && b.log.length === 2);
      expect(b.received.length).toBe(200);
      expect([a.log[2], b.log[1]]).toEqual([`closed b ${closeCodes.RELEASED}`, `closed a ${closeCodes.RELEASED}`]);
    });

    scene('hands over what still comes in', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      await connect(a, b);
      a.transport.dial([]);
      for (let index = 0; index < 400; index++) a.session().send(new Uint8Array(60_000), 'rumor');
      b.session().send(bytes('a word'), 'reply');
      a.session().release();
      await until('the end', () => a.log.length === 2);
      expect(a.received.length).toBe(1);
    });

    scene('does not wait longer than closeTimeoutMs for a peer that does not read', async (stage) => {
      const a = await stage.node('a', { closeTimeoutMs: 50 });
      const b = await stage.node('b');
      await connect(a, b);
      a.transport.dial([]);
      b.session().pause();
      for (let index = 0; index < 200; index++) a.session().send(new Uint8Array(60_000), 'reply');
      a.session().release();
      await until('the end', () => a.log.length === 2);
      expect(a.log[1]).toBe(`closed b ${closeCodes.RELEASED}`);
    });

    scene('lets who dials on dial again', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      await connect(a, b);
      b.session().release();
      await until('they meet again', () => a.log.length === 3);
      expect(a.log).toEqual(['opened b', `closed b ${closeCodes.RELEASED}`, 'opened b']);
    });
  });

  describe(`${name}: endings`, () => {
    scene('an orderly close sends what waits, and is no error', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      await connect(a, b);
      const frame = new Uint8Array(50_000);
      for (let index = 0; index < 200; index++) a.session().send(frame, index % 2 === 0 ? 'rumor' : 'reply');
      await a.transport.close('deployed anew');
      expect(count(a.transport)).toBe(0);
      await until('b is told', () => b.log.length === 2);
      expect(b.received.length).toBe(200);
      expect([a.log[1], b.log[1]]).toEqual([`closed b ${closeCodes.GOING_AWAY}`, `closed a ${closeCodes.GOING_AWAY}`]);
    });

    scene('an orderly close does not wait longer than closeTimeoutMs for a peer that does not read', async (stage) => {
      const a = await stage.node('a', { closeTimeoutMs: 50 });
      const b = await stage.node('b');
      await connect(a, b);
      b.session().pause();
      for (let index = 0; index < 200; index++) a.session().send(new Uint8Array(60_000), 'reply');
      await a.transport.close();
      expect(a.log).toEqual(['opened b', `closed b ${closeCodes.GOING_AWAY}`]);
    });

    scene('a session closed by its owner is closed at once here, and with its code and reason there', async (stage) => {
      const told: unknown[] = [];
      const a = await stage.node('a', { redialMinMs: 1000, redialMaxMs: 1000, random: () => 0.9 });
      const b = await stage.node(
        'b',
        {},
        { closed: (_session, info) => void told.push(info.code, info.reason, info.error?.code) },
      );
      await connect(a, b);
      a.session().close(closeCodes.FRAME_MALFORMED, `kind 99 ${'ä'.repeat(200)}`);
      expect(a.log).toEqual(['opened b', `closed b ${closeCodes.FRAME_MALFORMED} FRAME_MALFORMED`]);
      await until('b is told', () => told.length > 0);
      expect(told).toEqual([closeCodes.FRAME_MALFORMED, `kind 99 ${'ä'.repeat(56)}…`, 'FRAME_MALFORMED']);
    });

    scene('what had arrived before the end is handed over before closed', async (stage) => {
      const a = await stage.node('a');
      let receivedAtClose = -1;
      const b = await stage.node('b', {}, { closed: () => void (receivedAtClose = b.received.length) });
      await connect(a, b);
      for (let index = 0; index < 10; index++) a.session().send(bytes('last words'), 'reply');
      a.session().close(closeCodes.NORMAL, '');
      await until('b is told', () => receivedAtClose >= 0);
      expect(receivedAtClose).toBe(10);
    });

    scene('a peer that is gone without a word is closed as SILENT on both sides', async (stage) => {
      const a = await stage.node('a', { pingIntervalMs: 20, closeTimeoutMs: 50 });
      const b = await stage.node('b', { pingIntervalMs: 20, closeTimeoutMs: 50 });
      const wire = await stage.harness.through(b.url, ['a', 'b']);
      a.transport.dial([wire.url]);
      await connected(a, b);
      wire.cut();
      const silent = ` ${closeCodes.SILENT} SILENT`;
      await until('both notice', () => a.log.includes(`closed b${silent}`) && b.log.includes(`closed a${silent}`));
    });

    scene('a silent peer that answers pings stays', async (stage) => {
      const a = await stage.node('a', { pingIntervalMs: 5 });
      const b = await stage.node('b', { pingIntervalMs: 1000 });
      await connect(a, b);
      let ticks = 0;
      const tick = setInterval(() => ticks++, 5);
      await until('many ticks', () => ticks >= 12);
      clearInterval(tick);
      expect(a.log).toEqual(['opened b']);
    });

    scene('a paused session is not taken for silent, on either side', async (stage) => {
      const a = await stage.node('a', { pingIntervalMs: 10 });
      const b = await stage.node('b', { pingIntervalMs: 10 });
      await connect(a, b);
      a.session().pause();
      let ticks = 0;
      const tick = setInterval(() => ticks++, 10);
      await until('many ticks', () => ticks >= 12);
      clearInterval(tick);
      expect([a.log, b.log]).toEqual([['opened b'], ['opened a']]);
    });

    scene('a side that lost the connection alone gets through at once', async (stage) => {
      // b never notices by itself: its keep-alive is too slow.
      const a = await stage.node('a', { pingIntervalMs: 20, closeTimeoutMs: 50 });
      const b = await stage.node('b');
      const wire = await stage.harness.through(b.url, ['a', 'b']);
      a.transport.dial([wire.url]);
      await connected(a, b);
      wire.cut();
      await until('a notices', () => a.log.length === 2);
      const way = await stage.harness.through(b.url, ['a', 'b']);
      a.transport.dial([way.url]);
      await until('a and b meet again', () => b.log.length === 3 && count(a.transport) === 1);
      expect(b.log.map((line) => line.split(' ', 2).join(' '))).toEqual(['opened a', 'closed a', 'opened a']);
    });

    scene('a peer that starts anew is found again, by its new epoch', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      await connect(a, b);
      const { epoch } = a.session().peer;
      await b.transport.close();
      await until('a failed dial', () => a.dialFailures.length > 1);
      expect(a.dialFailures[0]).toBe(`${b.url} PEER_UNREACHABLE`);
      const again = await stage.node('b', { listen: stage.harness.listenAt(b.url) });
      await connected(a, again);
      expect(a.session().peer.epoch).toBeGreaterThan(epoch);
    });

    scene('a URL that cannot be one is told, and the others are dialled', async (stage) => {
      const a = await stage.node('a');
      const b = await stage.node('b');
      a.transport.dial(['nonsense', b.url]);
      await connected(a, b);
      expect(a.dialFailures).toEqual(['nonsense OPTIONS_INVALID']);
    });

    scene('closing while it starts leaves nothing behind', async (stage) => {
      const listen = stage.harness.listenAt(null);
      const transport = stage.harness.create({ ...fast, name: 'a', epoch: 1, listen });
      const started = transport.start({ opened: () => {}, closed: () => {} });
      await transport.close();
      const { url } = await started;
      const b = await stage.node('b');
      b.transport.dial([url ?? '']);
      await until('nobody listens there', () => b.dialFailures.length > 1);
    });

    scene('closing twice, and before the start, is well', async (stage) => {
      const a = await stage.node('a');
      await Promise.all([a.transport.close(), a.transport.close()]);
      await stage.harness.create({ name: 'never', epoch: 1 }).close();
      a.transport.dial(['ignored']);
      expect(a.dialFailures).toEqual([]);
    });
  });
}

function count(transport: Transport): number {
  return [...transport.sessions()].length;
}

function onlyOf(sessions: readonly Session[]): Session {
  const [session] = sessions;
  if (session === undefined || sessions.length > 1) throw new Error(`${sessions.length} sessions are open, not one`);
  return session;
}

async function connected(a: Probe, b: Probe): Promise<void> {
  await until(`${a.name} and ${b.name} meet`, () => count(a.transport) === 1 && count(b.transport) === 1);
}

/** Whether the pair still has its one connection after several round trips. */
async function stays(a: Probe, b: Probe): Promise<boolean> {
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

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function same(actual: readonly Uint8Array[], expected: readonly Uint8Array[]): boolean {
  return (
    actual.length === expected.length &&
    actual.every((frame, index) => Buffer.compare(frame, expected[index] as Uint8Array) === 0)
  );
}
