/** What peers, writers and subscribers may make a node hold: bounded, said, and made good. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { encodeChannel, encodeRefuseChannel, Encoder, encodeValue, Told, type EncodedFrame } from '@grapevine/wire';
import { hybrid, type Message, Origin, stampAt, Update } from '@grapevine/core';
import { createMemoryTransport, type Session, type Transport } from '@grapevine/transport';
import { dispatch, start, stop } from 'nact';

import type { GossipEvent, NodeEvent } from './events.ts';
import { actorAt, holdingOf, nodeOf, ready, spawnGossip } from './grapevine.ts';
import { injectFault, spawnChild, statsOf, stopTree, tell } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { Ref } from './kernel/nact.ts';
import type { Line } from './line.ts';

import {
  add,
  addMany,
  type GossipMessage,
  type NodeMessage,
  remove,
  subscribe,
  unsubscribe,
  type WriteReply,
} from './messages.ts';
import type { GossipOptions, NodeOptions } from './options.ts';
import { Cluster } from './testing/cluster.ts';
import { gossipView, nodeView } from './views.ts';

/** Machines may be busy. */
const patienceMs = 20_000;
jest.setTimeout(2 * patienceMs);
async function until(holds: () => boolean): Promise<void> {
  const givesUpAt = performance.now() + patienceMs;
  while (!holds()) {
    if (performance.now() > givesUpAt) throw new Error(`not within ${patienceMs} ms: ${holds.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

let system: Ref<never>;
let cluster: Cluster;
const transports: Transport[] = [];
beforeEach(() => {
  system = start();
  cluster = new Cluster(system);
});
afterEach(async () => {
  await Promise.all(transports.splice(0).map((transport) => transport.close()));
  await cluster.stop();
  stop(system);
});

const written = (
  gossip: Ref<GossipMessage>,
  message: (replyTo: Ref<WriteReply>) => GossipMessage,
): Promise<WriteReply> => ask<GossipMessage, WriteReply>(gossip, message, { timeoutMs: 5000 });

describe('an instance that is full', () => {
  const small: GossipOptions = { maxIds: 3, maxBytes: 100 };

  test('answers an add with STORE_FULL, and holds what it held', async () => {
    const gossip = spawnGossip(cluster.node('a'), small);
    for (const id of ['x', 'y', 'z'])
      expect(await written(gossip, (replyTo) => add(id, 1, { replyTo }))).toMatchObject({ ok: true });
    const before = gossipView(gossip).status();
    expect(await written(gossip, (replyTo) => add('w', 1, { replyTo }))).toMatchObject({
      ok: false,
      error: { code: 'STORE_FULL', stateChanged: false, context: { ids: 3, maxIds: 3 } },
    });
    expect(gossipView(gossip).status()).toEqual({ ...before });
    expect(await written(gossip, (replyTo) => add('x', 'other', { replyTo }))).toMatchObject({ ok: true });
    expect(await written(gossip, (replyTo) => remove('y', { replyTo }))).toMatchObject({ ok: true });
    expect(await written(gossip, (replyTo) => add('w', 1, { replyTo }))).toMatchObject({ ok: true });
    expect(gossipView(gossip).status()).toMatchObject({ ids: 3, bytes: 11 });
  });

  test('writes all of a batch or none', async () => {
    const gossip = spawnGossip(cluster.node('a'), small);
    const four = [
      ['a', 1],
      ['b', 1],
      ['c', 1],
      ['d', 1],
    ] as const;
    expect(await written(gossip, (replyTo) => addMany(four, { replyTo }))).toMatchObject({
      error: { code: 'STORE_FULL' },
    });
    expect([...gossipView(gossip).keys()]).toEqual([]);
    const large = [
      ['a', 'x'.repeat(60)],
      ['b', 'x'.repeat(60)],
    ] as const;
    expect(await written(gossip, (replyTo) => addMany(large, { replyTo }))).toMatchObject({
      error: { code: 'STORE_FULL' },
    });
    expect([...gossipView(gossip).keys()]).toEqual([]);
    // The same id four times is one id.
    const same = [
      ['a', 1],
      ['a', 2],
      ['a', 3],
      ['a', 4],
      ['b', 1],
      ['c', 1],
    ] as const;
    expect(await written(gossip, (replyTo) => addMany(same, { replyTo }))).toMatchObject({ ok: true });
    expect(gossipView(gossip).status().ids).toBe(3);
  });

  test('stays behind its peers, counts it and says it once, and catches up', async () => {
    const fast: GossipOptions = { protocol: hybrid({ delta: 20, gc: 20, tombstoneTtl: 50 }) };
    const wide = spawnGossip(cluster.node('a'), fast);
    const narrow = spawnGossip(cluster.node('b'), { ...fast, ...small });
    for (let i = 0; i < 10; i++) dispatch(wide, add(`id${i}`, i));
    await until(() => gossipView(narrow).status().refused >= 7);
    expect(gossipView(narrow).status()).toMatchObject({ ids: 3 });
    expect(cluster.log.codes.filter((code) => code === 'STORE_FULL')).toHaveLength(1);
    for (let i = 0; i < 7; i++) dispatch(wide, remove(`id${i}`));
    await until(() => gossipView(narrow).hash === gossipView(wide).hash);
    expect(gossipView(narrow).size).toBe(3);
  });

  test('announces nothing, and lives', async () => {
    const node = cluster.node('a');
    const gossip = spawnGossip(node, { maxIds: 1, maxBytes: 10, announce: true });
    await until(() => cluster.log.codes.includes('STORE_FULL'));
    expect(await written(gossip, (replyTo) => add('x', 1, { replyTo }))).toMatchObject({ ok: true });
    expect(gossipView(gossip).status().restarts).toBe(0);
  });
});

/** A peer that says what it likes, over a transport of its own. */
class Liar {
  readonly encoder = new Encoder();
  readonly told = new Told();
  session!: Session;
  closed = 0;

  async join(node: Ref<NodeMessage>, options: Partial<NodeOptions> = {}): Promise<this> {
    const transport = createMemoryTransport(cluster.network, { name: 'liar', epoch: Date.now(), ...options } as never);
    transports.push(transport);
    transport.dial([`memory://${nodeView(node).name}`]);
    await transport.start({
      opened: (session) => {
        this.session = session;
        session.onFrames = () => {};
      },
      closed: (_session, { code }) => {
        this.closed = code;
      },
    });
    await until(() => this.session !== undefined);
    this.session.send(
      encodeChannel({ channel: 7, instance: 'grapevine', protocol: 'hybrid', newestEpochOfYou: 0 }),
      'reply',
    );
    return this;
  }

  say(message: Message): void {
    const frame: EncodedFrame = this.encoder.encode(7, message);
    for (const origins of this.told.missing(frame)) this.session.send(origins, 'reply');
    this.session.send(frame.bytes, 'reply');
  }
}

describe('a peer that floods', () => {
  test('is not read while its allowance is used up, loses nothing, and is visible', async () => {
    const node = cluster.node('a', { maxUpdatesPerSecond: 1000 });
    const gossip = spawnGossip(node);
    await ready(node);
    const liar = await new Liar().join(node);
    const origin = new Origin('liar', 5);
    for (let i = 0; i < 30; i++)
      liar.say({
        type: 'updates',
        cause: 'mail',
        updates: Array.from(
          { length: 100 },
          (_, j) => new Update(`id${i}.${j}`, '\x01', stampAt(Date.now()), origin, 100 * i + j + 1, undefined),
        ),
      });
    await until(() => (nodeView(node).links[0]?.throttled ?? 0) > 0);
    expect(nodeView(node).links[0]).toMatchObject({ held: true });
    expect(gossipView(gossip).size).toBeLessThanOrEqual(3000);
    await until(() => gossipView(gossip).size === 3000);
    await until(() => nodeView(node).links[0]?.held === false);
  });

  test('owes on, whatever connection it comes by, and is forgotten at last', async () => {
    const node = cluster.node('a', { maxUpdatesPerSecond: 1000 });
    spawnGossip(node);
    await ready(node);
    const { allowances } = nodeOf(node);
    const liar = await new Liar().join(node);
    liar.say({ type: 'ask', dots: [{ origin: new Origin('a', 5), intervals: [1, 8000], newest: 0 }] });
    await until(() => (nodeView(node).links[0]?.throttled ?? 0) > 0);
    const nowMs = performance.now();
    expect(allowances.begun('liar', nowMs).take(0, 0, nowMs)).toBeGreaterThan(0);
    allowances.ended('liar', nowMs);
    expect(allowances.kept).toBe(0);
    await transports.pop()?.close();
    await until(() => allowances.kept === 1);
  });

  const FLOOD = 20_000;

  /** So many updates, 500 to a message. */
  function flood(name: string): Message[] {
    const origin = new Origin(name, 5);
    return Array.from({ length: FLOOD / 500 }, (_, i) => ({
      type: 'updates',
      cause: 'mail',
      updates: Array.from(
        { length: 500 },
        (__, j) =>
          new Update(`${name} ${500 * i + j}`, '\x01', stampAt(Date.now()), origin, 500 * i + j + 1, undefined),
      ),
    }));
  }

  /** The frames of messages, as one chunk of the network brings them. */
  function framesOf({ encoder, told }: Liar, messages: readonly Message[]): Uint8Array[] {
    return messages.flatMap((message) => {
      const frame = encoder.encode(7, message);
      return [...told.missing(frame), frame.bytes];
    });
  }

  const chunk = (node: Ref<NodeMessage>, peer: string, frames: Uint8Array[]): void =>
    nodeOf(node).lines.get(peer)?.session.onFrames?.(frames);

  test('is served in shares: others wait for one share of it, and are not held for what it brought', async () => {
    const node = cluster.node('a');
    const gossip = spawnGossip(node);
    await ready(node);
    const flooding = await new Liar().join(node);
    const honest = await new Liar().join(node, { name: 'honest' });
    await until(() => gossipView(gossip).peers.length === 2);
    const holds = jest.spyOn(nodeOf(node).lines.get('honest') as Line, 'hold');
    let sizeBefore = 0;
    const seen = spawnChild<GossipEvent>(system, {
      name: 'seen',
      start: () => ({
        receive: (event) => {
          if (event.type === 'changes' && event.changes.some(({ id }) => id === 'word'))
            sizeBefore = gossipView(gossip).size;
        },
      }),
    });
    dispatch(gossip, subscribe(seen));
    const word = new Update('word', '\x01', stampAt(Date.now()), new Origin('honest', 5), 1, undefined);
    const words = framesOf(honest, [{ type: 'updates', cause: 'mail', updates: [word] }]);
    chunk(node, 'liar', framesOf(flooding, flood('liar')));
    chunk(node, 'honest', words);
    await until(() => gossipView(gossip).size === FLOOD + 1);
    expect(sizeBefore).toBeGreaterThan(0);
    expect(sizeBefore).toBeLessThan(FLOOD / 4);
    expect(holds).not.toHaveBeenCalled();
  });

  test('and closes its connection is heard to the end, and gone then', async () => {
    const node = cluster.node('a');
    const gossip = spawnGossip(node);
    await ready(node);
    const flooding = await new Liar().join(node);
    await until(() => gossipView(gossip).peers.length === 1);
    chunk(node, 'liar', framesOf(flooding, flood('liar')));
    nodeOf(node).lines.get('liar')?.session.close(1000, 'enough');
    await until(() => gossipView(gossip).peers.length === 0);
    expect(gossipView(gossip).size).toBe(FLOOD);
  });

  test('and comes back is not heard with what waits of its former connection', async () => {
    const node = cluster.node('a');
    const gossip = spawnGossip(node);
    await ready(node);
    await new Liar().join(node);
    await until(() => gossipView(gossip).peers.length === 1);
    const { ref, arrivals } = holdingOf(gossip);
    const line = nodeOf(node).lines.get('liar') as Line;
    const batch = flood('liar').map((message) => ({ from: 'liar', message }));
    tell(ref, {
      type: 'inbound',
      from: 'liar',
      session: line.session.id,
      batch,
      bytes: 0,
      works: batch.map(() => 501),
      line,
    });
    await until(() => gossipView(gossip).size > 0);
    tell(ref, {
      type: 'peer-arrived',
      name: 'liar',
      session: -1,
      epochOfUs: 0,
      dialsOnly: false,
      maxFrameBytes: 2 ** 21,
    });
    await until(() => arrivals.isEmpty);
    const { size, peers } = gossipView(gossip);
    expect(size).toBeLessThan(FLOOD);
    expect(peers).toHaveLength(1);
  });

  test('and closes its connection is gone, also where the instance crashes on what it said last', async () => {
    const protocol = hybrid();
    const delicate: typeof protocol = {
      ...protocol,
      create: (environment) => {
        const machine = protocol.create(environment);
        const receive = machine.receive.bind(machine);
        return Object.assign(machine, {
          receive: (...[batch, nowMs]: Parameters<typeof receive>) => {
            if (batch.some(({ message }) => message.type === 'pull')) throw new Error('crashes on it');
            receive(batch, nowMs);
          },
        });
      },
    };
    const node = cluster.node('a');
    const gossip = spawnGossip(node, { protocol: delicate });
    await ready(node);
    await new Liar().join(node);
    await until(() => gossipView(gossip).peers.length === 1);
    const { ref } = holdingOf(gossip);
    const line = nodeOf(node).lines.get('liar') as Line;
    const batch = [{ from: 'liar', message: { type: 'pull' } as const }];
    tell(ref, { type: 'inbound', from: 'liar', session: line.session.id, batch, bytes: 0, works: [1], line });
    tell(ref, { type: 'peer-gone', name: 'liar', session: line.session.id });
    await until(() => gossipView(gossip).status().restarts === 1);
    expect(gossipView(gossip).peers).toEqual([]);
  });

  test('and closes its instance and opens it again on one connection is there, and what it opened before is over', async () => {
    const heard: string[] = [];
    const protocol = hybrid();
    const listening: typeof protocol = {
      ...protocol,
      create: (environment) => {
        const machine = protocol.create(environment);
        const peersChanged = machine.peersChanged.bind(machine);
        return Object.assign(machine, {
          peersChanged: (...[peers, nowMs]: Parameters<typeof peersChanged>) => {
            heard.push(peers.map(({ name }) => name).join());
            peersChanged(peers, nowMs);
          },
        });
      },
    };
    const node = cluster.node('a');
    const gossip = spawnGossip(node, { protocol: listening });
    await ready(node);
    await new Liar().join(node);
    await until(() => gossipView(gossip).peers.length === 1);
    heard.length = 0;
    const { ref } = holdingOf(gossip);
    const line = nodeOf(node).lines.get('liar') as Line;
    const { id: session } = line.session;
    const batch = [{ from: 'liar', message: { type: 'pull' } as const }];
    tell(ref, { type: 'inbound', from: 'liar', session, batch, bytes: 0, works: [1], line });
    tell(ref, { type: 'peer-gone', name: 'liar', session });
    tell(ref, { type: 'peer-arrived', name: 'liar', session, epochOfUs: 0, dialsOnly: false, maxFrameBytes: 2 ** 21 });
    await until(() => heard.length >= 2 && holdingOf(gossip).arrivals.isEmpty);
    expect(heard).toEqual(['', 'liar']);
    expect(gossipView(gossip).peers).toHaveLength(1);
  });

  /** Frames of an update of a million bytes each, and the session on which they arrive as chunks of the network do. */
  async function sixMegabytes(
    node: Ref<NodeMessage>,
    gossip: Ref<GossipMessage>,
  ): Promise<{ frames: Uint8Array[]; line: Line }> {
    await ready(node);
    const liar = await new Liar().join(node);
    await until(() => gossipView(gossip).peers.length === 1);
    const origin = new Origin('liar', 5);
    const frames: Uint8Array[] = [];
    for (let i = 0; i < 6; i++) {
      const update = new Update(`id${i}`, encodeValue('x'.repeat(1e6)), stampAt(Date.now()), origin, i + 1, undefined);
      const frame = liar.encoder.encode(7, { type: 'updates', cause: 'mail', updates: [update] });
      frames.push(...liar.told.missing(frame), frame.bytes);
    }
    return { frames, line: nodeOf(node).lines.get('liar') as Line };
  }

  test('is not read while 4 MiB wait for the turn of its link, and loses nothing', async () => {
    const node = cluster.node('a');
    const gossip = spawnGossip(node);
    const { frames, line } = await sixMegabytes(node, gossip);
    for (const frame of frames.slice(0, 4)) line.session.onFrames?.([frame]);
    expect(line.isHeld).toBe(false);
    for (const frame of frames.slice(4)) line.session.onFrames?.([frame]);
    expect(line.isHeld).toBe(true);
    await until(() => gossipView(gossip).size === 6);
    await until(() => !line.isHeld);
  });

  test('is not read while a mebibyte of what it brought waits for an instance, and loses nothing', async () => {
    const node = cluster.node('a');
    const gossip = spawnGossip(node);
    const { frames, line } = await sixMegabytes(node, gossip);
    const { pressure } = holdingOf(gossip);
    const held = jest.spyOn(line, 'hold');
    // One chunk is read in one turn, and goes to the instance as one message.
    line.session.onFrames?.(frames);
    await until(() => gossipView(gossip).size === 6);
    expect(held.mock.calls.map(([by]) => by)).toContain(pressure);
    await until(() => !line.isHeld);
  });

  test('with asks is held in the same way: what it asks for counts', async () => {
    const node = cluster.node('a', { maxUpdatesPerSecond: 1000 });
    spawnGossip(node);
    await ready(node);
    const liar = await new Liar().join(node);
    liar.say({ type: 'ask', dots: [{ origin: new Origin('a', 5), intervals: [1, 8000], newest: 0 }] });
    await until(() => (nodeView(node).links[0]?.throttled ?? 0) > 0);
    expect(liar.closed).toBe(0);
  });

  test('with messages for an instance that the node does not have is held too', async () => {
    const node = cluster.node('a', { maxUpdatesPerSecond: 1000 });
    await ready(node);
    const liar = await new Liar().join(node);
    for (let i = 0; i < 3000; i++) liar.say({ type: 'pull' });
    await until(() => (nodeView(node).links[0]?.throttled ?? 0) > 0);
    expect(liar.closed).toBe(0);
  });

  test('with pings and pongs is held too', async () => {
    const node = cluster.node('a', { maxUpdatesPerSecond: 1000 });
    await ready(node);
    const liar = await new Liar().join(node);
    await until(() => (nodeOf(node).lines.get('liar')?.session.onControls ?? null) !== null);
    for (let i = 0; i < 30; i++) nodeOf(node).lines.get('liar')?.session.onControls?.(100);
    await until(() => (nodeView(node).links[0]?.throttled ?? 0) > 0);
    expect(liar.closed).toBe(0);
  });

  test('with bytes is held too', async () => {
    const node = cluster.node('a', { maxBytesPerSecond: 65_536 });
    spawnGossip(node);
    await ready(node);
    const liar = await new Liar().join(node);
    liar.session.send(new Encoder().encode(7, { type: 'custom', body: 'x'.repeat(140_000) }).bytes, 'reply');
    await until(() => (nodeView(node).links[0]?.throttled ?? 0) > 0 || liar.closed > 0);
    expect(nodeView(node).links[0]?.throttled ?? 1).toBe(1);
  });
});

describe('a peer that declares and refuses channels for ever', () => {
  test('is told once, fills no log, and is held like one that brings updates', async () => {
    // Each time the instance looks through all its peers and greets this one anew: it counts as a share of a step.
    const node = cluster.node('a');
    spawnGossip(node);
    await ready(node);
    const liar = await new Liar().join(node);
    const other = encodeChannel({ channel: 8, instance: 'grapevine', protocol: 'rumor', newestEpochOfYou: 0 });
    const same = encodeChannel({ channel: 7, instance: 'grapevine', protocol: 'hybrid', newestEpochOfYou: 0 });
    // The only channel of `a`.
    const refusal = encodeRefuseChannel(1, 'no');
    for (let i = 0; i < 1000; i++) for (const frame of [other, refusal, same]) liar.session.send(frame, 'reply');
    await until(() => (nodeView(node).links[0]?.throttled ?? 0) > 0);
    await until(() => nodeView(node).links[0]?.counters.framesIn === 3001 && !nodeView(node).links[0]?.held);
    expect(cluster.log.codes.filter((code) => code === 'PROTOCOL_MISMATCH')).toHaveLength(1);
    expect(cluster.log.lines.filter(({ message }) => message.includes('refuses a channel'))).toHaveLength(1);
  });
});

describe('a peer that comes again and again', () => {
  test('with another protocol, and refusing a channel, is told of once', async () => {
    const node = cluster.node('a');
    spawnGossip(node);
    await ready(node);
    let came = 0;
    const transport = createMemoryTransport(cluster.network, {
      name: 'liar',
      epoch: 1,
      redialMinMs: 1,
      redialMaxMs: 5,
    });
    transports.push(transport);
    transport.dial(['memory://a']);
    await transport.start({
      opened: (session) => {
        came += 1;
        session.onFrames = () => {};
        for (const frame of [
          encodeChannel({ channel: 7, instance: 'grapevine', protocol: 'hybrid', newestEpochOfYou: 0 }),
          encodeChannel({ channel: 8, instance: 'grapevine', protocol: 'rumor', newestEpochOfYou: 0 }),
          // The only channel of `a`.
          encodeRefuseChannel(1, 'no'),
        ])
          session.send(frame, 'reply');
        // Malformed: it is cut off behind what it said.
        session.send(new Uint8Array([0xc1]), 'reply');
      },
      closed: () => {},
    });
    await until(() => came === 10);
    const aloud = cluster.log.lines.filter(({ level }) => level === 'warn' || level === 'error');
    const times = (what: string): number => aloud.filter(({ message }) => message.includes(what)).length;
    expect(times('do not gossip with each other')).toBe(1);
    expect(times('refuses a channel')).toBe(1);
  });
});

describe('a peer that makes origins up', () => {
  test('does not fill the context, and is heard on', async () => {
    const node = cluster.node('a');
    const gossip = spawnGossip(node, { maxOrigins: 100, protocol: hybrid({ askDelay: 0, mail: 0 }) });
    await ready(node);
    const liar = await new Liar().join(node);
    let made = 0;
    for (let i = 0; i < 15; i++) {
      const dots = Array.from({ length: 2000 }, () => ({
        origin: new Origin(`o${made++}`, 1),
        intervals: [1, 1],
        newest: stampAt(Date.now()),
      }));
      liar.say({ type: 'announce', dots, pulled: false });
      liar.say({
        type: 'updates',
        cause: 'push',
        updates: dots.map(({ origin }) => new Update('x', '\x01', stampAt(Date.now()), origin, 2, undefined)),
      });
      await until(() => liar.session.queuedBytes === 0);
    }
    await until(() => gossipView(gossip).status().refused >= 29_000);
    const { origins, ids } = gossipView(gossip).status();
    expect([origins, ids]).toEqual([100, 1]);
    expect(liar.closed).toBe(0);
  });
});

describe('a subscriber that is slow', () => {
  /** Takes messages only while the gate is open. */
  function aSlowOne(limit?: number): { ref: Ref<GossipEvent>; events: GossipEvent[]; open: () => void } {
    const events: GossipEvent[] = [];
    let open!: () => void;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const ref = spawnChild<GossipEvent>(system, {
      name: `slow ${Math.random()}`,
      ...(limit === undefined ? {} : { mailbox: { limit, overflow: 'reject' } as const }),
      start: () => ({
        receive: (event) => {
          events.push(event);
          return gate;
        },
      }),
    });
    return { ref, events, open };
  }

  test.each([
    ['whose mailbox is bounded', 3],
    ['whose mailbox is not', undefined],
  ] as const)(
    '%s is behind, said so once, and is given a fresh snapshot as soon as it has room',
    async (_name, limit) => {
      const gossip = spawnGossip(cluster.node('a'));
      const slow = aSlowOne(limit);
      const audience = cluster.audience(gossip);
      tell(gossip, subscribe(slow.ref));
      await until(() => gossipView(gossip).status().subscribers === 2);
      for (let i = 0; gossipView(gossip).status().subscribersBehind === 0; i++) {
        dispatch(gossip, add('x', i));
        await new Promise((resolve) => setImmediate(resolve));
      }
      dispatch(gossip, add('last', 'seen'));
      await audience.has('last');
      expect(gossipView(gossip).status()).toMatchObject({ subscribers: 2, subscribersBehind: 1 });
      const said = cluster.log.lines.filter(({ message }) => message.includes('a subscriber is behind'));
      expect(said).toHaveLength(1);
      slow.open();
      await until(() => gossipView(gossip).status().subscribersBehind === 0);
      await until(() => slow.events.filter(({ type }) => type === 'snapshot').length === 2);
      const snapshot = slow.events.findLast(({ type }) => type === 'snapshot') as Extract<
        GossipEvent,
        { type: 'snapshot' }
      >;
      expect(snapshot.entries.map(({ id }) => id)).toEqual(['x', 'last']);
      dispatch(gossip, add('after', 1));
      await until(() => slow.events.at(-1)?.type === 'changes');
      // What waits is bounded by the mailbox, or by what counts as behind.
      expect(slow.events.length).toBeLessThanOrEqual((limit ?? 1024) + 4);
      await stopTree(slow.ref);
    },
  );

  test('again and again is told of once a minute', async () => {
    const gossip = spawnGossip(cluster.node('a'));
    const heard: GossipEvent[] = [];
    const slow = spawnChild<GossipEvent>(system, {
      name: 'slow',
      mailbox: { limit: 1, overflow: 'reject' },
      start: () => ({
        receive: async (event) => {
          if (event.type === 'snapshot') heard.push(event);
          await new Promise((resolve) => setTimeout(resolve, 5));
        },
      }),
    });
    tell(gossip, subscribe(slow));
    for (let i = 0; heard.length < 4; i++) {
      dispatch(gossip, add('x', i));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const said = cluster.log.lines.filter(({ message }) => message.includes('a subscriber is behind'));
    expect(said).toHaveLength(1);
    await stopTree(slow);
  });

  test('and stops, or unsubscribes, is waited for no more', async () => {
    const gossip = spawnGossip(cluster.node('a'));
    const [one, two] = [aSlowOne(2), aSlowOne(2)];
    tell(gossip, subscribe(one.ref));
    tell(gossip, subscribe(two.ref));
    for (let i = 0; gossipView(gossip).status().subscribersBehind < 2; i++) {
      dispatch(gossip, add('x', i));
      await new Promise((resolve) => setImmediate(resolve));
    }
    tell(gossip, unsubscribe(one.ref));
    two.open();
    await stopTree(two.ref);
    one.open();
    await until(() => gossipView(gossip).status().subscribers === 0);
    expect(gossipView(gossip).status().subscribersBehind).toBe(0);
    await stopTree(one.ref);
  });
});

describe('a subscriber of a node that is slow', () => {
  /** What a subscriber makes of what it is told: who is there. */
  class Watcher {
    readonly events: NodeEvent[] = [];
    readonly there: Set<string> = new Set();
    readonly ref: Ref<NodeEvent>;
    open!: () => void;

    constructor(limit: number) {
      const gate = new Promise<void>((resolve) => {
        this.open = resolve;
      });
      this.ref = spawnChild<NodeEvent>(system, {
        name: `watcher ${Math.random()}`,
        mailbox: { limit, overflow: 'reject' },
        start: () => ({
          receive: async (event) => {
            await gate;
            this.#hear(event);
          },
        }),
      });
    }

    #hear(event: NodeEvent): void {
      this.events.push(event);
      if (event.type === 'members') {
        this.there.clear();
        for (const { name } of event.members) this.there.add(name);
      } else if (event.type === 'nodedown' || event.type === 'nodeleft') this.there.delete(event.member.name);
      else if (event.type !== 'refused') this.there.add(event.member.name);
    }
  }

  test('is behind, said so once and counted, and is told anew who is there as soon as it has room', async () => {
    const node = cluster.node('a');
    await ready(node);
    const slow = new Watcher(2);
    tell(node, subscribe(slow.ref));
    await until(() => nodeView(node).subscribers === 1);
    const peers = ['b', 'c', 'd', 'e', 'f'];
    for (const peer of peers) {
      cluster.node(peer);
      await cluster.connected(node, peer);
    }
    await until(() => nodeView(node).members.length === peers.length);
    expect(nodeView(node)).toMatchObject({ subscribers: 1, subscribersBehind: 1 });
    const said = cluster.log.lines.filter(({ message }) => message.includes('a subscriber is behind'));
    expect(said).toHaveLength(1);
    slow.open();
    await until(() => nodeView(node).subscribersBehind === 0);
    await until(() => slow.events.filter(({ type }) => type === 'members').length === 2);
    expect([...slow.there].toSorted()).toEqual(peers);
    cluster.node('g');
    await until(() => slow.there.has('g'));
    expect(slow.events.at(-1)?.type).toBe('nodeup');
    await stopTree(slow.ref);
  });

  test('that has no room even for the first list is told it later, also after a crash of the membership', async () => {
    const node = cluster.node('a');
    await ready(node);
    cluster.node('b');
    await until(() => nodeView(node).members.length === 1);
    const full = new Watcher(1);
    const nobody: NodeEvent = { type: 'members', node: 'a', members: [] };
    // One is being taken, and one waits.
    tell(full.ref, nobody);
    await until(() => statsOf(full.ref)?.queued === 0);
    tell(full.ref, nobody);
    tell(node, subscribe(full.ref));
    await until(() => nodeView(node).subscribersBehind === 1);
    const tracker = actorAt(node, ['membership']) as Ref<never>;
    injectFault(tracker, new Error('injected'));
    await until(() => statsOf(tracker)?.restarts === 1);
    expect(nodeView(node)).toMatchObject({ subscribers: 1, subscribersBehind: 1 });
    full.open();
    await until(() => full.there.has('b'));
    expect(nodeView(node)).toMatchObject({ subscribers: 1, subscribersBehind: 0 });
    await stopTree(full.ref);
  });

  test('and stops is waited for no more', async () => {
    const node = cluster.node('a');
    await ready(node);
    const slow = new Watcher(1);
    tell(node, subscribe(slow.ref));
    for (let i = 0; nodeView(node).subscribersBehind === 0; i++) {
      cluster.node(`p${i}`);
      await cluster.connected(node, `p${i}`);
    }
    slow.open();
    await stopTree(slow.ref);
    await until(() => nodeView(node).subscribers === 0);
    expect(nodeView(node).subscribersBehind).toBe(0);
  });
});
