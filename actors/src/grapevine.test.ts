import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Custom, entropy, hybrid, type Membership, type Protocol, swim } from '@grapevine/core';
import { type CloseInfo, createMemoryTransport } from '@grapevine/transport';
import { contentId } from '@grapevine/wire';
import { dispatch, start, stop } from 'nact';

import type { NodeEvent } from './events.ts';
import { actorAt, holdingOf, leaveGrapevine, ready, spawnGossip, spawnGrapevine, stopGossip } from './grapevine.ts';
import { injectFault, isGone, spawnChild, statsOf, stopTree, tell } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { Ref } from './kernel/nact.ts';
import { turns, until } from './kernel/testing/event-loop.ts';
import { add, addMany, leave, type NodeMessage, remove, subscribe, unsubscribe, type WriteReply } from './messages.ts';
import { Cluster } from './testing/cluster.ts';
import { gossipView, nodeView } from './views.ts';

let system: Ref<never>;
let cluster: Cluster;
beforeEach(() => {
  system = start();
  cluster = new Cluster(system);
});
afterEach(async () => {
  await cluster.stop();
  stop(system);
});

const restartsOf = (node: Ref<NodeMessage>, ...path: string[]): number | undefined =>
  statsOf(actorAt(node, path) as Ref<never>)?.restarts;

/** A machine and a module that do nothing. */
const mute = { start() {}, add() {}, receive() {}, judged() {}, tick() {}, collect() {}, backlog: 0 };
const passive = { tick() {}, disconnected() {}, leave() {}, receive() {} };

describe('a node', () => {
  test('gossips what is added on one to the subscribers of another', async () => {
    const one = spawnGossip(cluster.node('one'));
    const two = spawnGossip(cluster.node('two'));
    const audience = cluster.audience(two);
    dispatch(one, add('dark-mode', { on: true }));
    await audience.has('dark-mode');
    expect(audience.content.get('dark-mode')).toEqual({ on: true });
    expect(audience.changes[0]?.origin.name).toBe('one');
    expect(gossipView(two).get('dark-mode')).toEqual({ on: true });
    dispatch(two, remove('dark-mode'));
    await until(() => !gossipView(one).has('dark-mode'));
    expect(audience.changes.map(({ type }) => type)).toEqual(['update', 'removed']);
  });

  test('forgets the places of links and instances that are gone', async () => {
    const one = cluster.node('one');
    const link = ['transport', 'link two'];
    const two = cluster.node('two');
    const gossip = spawnGossip(one, { name: 'short' });
    await cluster.connected(one, 'two');
    expect(actorAt(one, link)).toBeDefined();
    expect(actorAt(one, ['gossip short', 'instance'])).toBeDefined();
    await leaveGrapevine(two);
    await stopGossip(gossip);
    await until(() => actorAt(one, link) === undefined);
    expect(actorAt(one, ['gossip short', 'instance'])).toBeUndefined();
    expect(actorAt(one, ['transport'])).toBeDefined();
  });

  test('whose instances start before and after the connection both find their like', async () => {
    const one = cluster.node('one');
    const early = spawnGossip(one, { name: 'early' });
    const two = cluster.node('two');
    await cluster.connected(one, 'two');
    const late = spawnGossip(one, { name: 'late' });
    const theirs = ['early', 'late'].map((name) => spawnGossip(two, { name }));
    dispatch(early, add('a', 1));
    dispatch(late, add('b', 2));
    await until(
      () => gossipView(theirs[0] as Ref<never>).get('a') === 1 && gossipView(theirs[1] as Ref<never>).get('b') === 2,
    );
    expect(gossipView(theirs[0] as Ref<never>).has('b')).toBe(false);
  });

  test('reports every violation of its options at once', () => {
    const wrong = { name: '', listen: { port: 70_000 }, maxDriftMs: -1, shard: 3 };
    expect(() => spawnGrapevine(system, wrong as never)).toThrow(
      expect.objectContaining({
        code: 'OPTIONS_INVALID',
        message: expect.stringMatching(/'name'.*'listen'.*'maxDriftMs'.*'shard'/s),
      }),
    );
    const node = cluster.node('one');
    expect(() => spawnGossip(node, { name: '$own', handlerRetries: 0, handler: 7 as never })).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/'name'.*'handler'.*'handlerRetries'/s) }),
    );
  });

  test('refuses a protocol that keeps tombstones for longer than the node remembers who wrote them', () => {
    const node = cluster.node('one', { forgetAfter: 60_000 });
    expect(() => spawnGossip(node, { protocol: hybrid({ tombstoneTtl: 60_001 }), handlerRetries: 0 })).toThrow(
      expect.objectContaining({
        code: 'OPTIONS_INVALID',
        message: expect.stringMatching(/'handlerRetries'.*'protocol.tombstoneTtl' must be at most .*60000.*not 60001/s),
      }),
    );
    expect(() => spawnGossip(node, { protocol: hybrid({ tombstoneTtl: 60_000 }) })).not.toThrow();
  });

  test('runs one instance of a name, and another once that is stopped', async () => {
    const one = cluster.node('one');
    const two = cluster.node('two');
    const first = spawnGossip(one, { name: 'flags' });
    const theirs = spawnGossip(two, { name: 'flags' });
    dispatch(theirs, add('a', 1));
    await until(() => gossipView(first).has('a'));
    expect(() => spawnGossip(one, { name: 'flags' })).toThrow(expect.objectContaining({ code: 'GOSSIP_NAME_TAKEN' }));
    await stopGossip(first);
    await until(() => gossipView(theirs).peers.length === 0);
    const second = spawnGossip(one, { name: 'flags' });
    await until(() => gossipView(second).get('a') === 1);
    expect(nodeView(one).gossips).toEqual(['flags']);
  });

  test('tells its subscribers who is there, then who comes and goes', async () => {
    const one = cluster.node('one');
    const heard: string[] = [];
    const listener = spawnChild<NodeEvent>(one, {
      name: 'listener',
      start: () => ({
        receive: (event) =>
          void heard.push(
            event.type === 'members'
              ? `members ${event.members.length}`
              : `${event.type} ${event.type === 'refused' ? event.refusal.code : event.member.name}`,
          ),
      }),
    });
    dispatch(one, subscribe(listener));
    await until(() => heard.length === 1);
    const two = cluster.node('two');
    await until(() => heard.length === 2);
    await stopTree(two);
    await until(() => heard.length === 3);
    expect(heard).toEqual(['members 0', 'nodeup two', 'nodedown two']);
  });

  test('stops with its parent, instances before membership before transport', async () => {
    const parent = spawnChild(system, { name: 'parent', start: () => {} });
    const order: string[] = [];
    const node = spawnGrapevine(parent, {
      name: 'one',
      transport: () => ({
        start: async () => ({ url: null }),
        dial: () => {},
        connect: () => {},
        rotateKeys: () => 0,
        renewTls: () => {},
        sessions: () => [],
        close: async () => void order.push(`transport, instance gone: ${isGone(instance)}`),
      }),
    });
    await ready(node);
    const instance = spawnGossip(node);
    const membership = actorAt(node, ['membership']) as Ref<never>;
    await stopTree(parent);
    expect(order).toEqual(['transport, instance gone: true']);
    expect(isGone(membership) && isGone(node)).toBe(true);
  });

  test('whose parent in nact is stopped stops too', async () => {
    const node = cluster.node('one');
    const transport = actorAt(node, ['transport']) as Ref<never>;
    expect(isGone(transport)).toBe(false);
    stop(system);
    await until(() => isGone(node) && isGone(transport));
    system = start();
  });

  test('that leaves sends first what it was given', async () => {
    const one = cluster.node('one');
    const two = cluster.node('two');
    const theirs = spawnGossip(two, { protocol: entropy({ delta: 60_000 }) });
    const ours = spawnGossip(one, { protocol: entropy({ delta: 60_000 }) });
    await until(() => gossipView(ours).peers.length === 1 && gossipView(theirs).peers.length === 1);
    await turns(20);
    for (let i = 0; i < 100; i += 1) dispatch(ours, add(`id ${i}`, i));
    await leaveGrapevine(one);
    expect(isGone(one)).toBe(true);
    expect(gossipView(theirs).size).toBe(100);
    dispatch(two, leave());
    await until(() => isGone(two));
  });

  test('refuses a peer whose protocol differs in that instance only, and says which', async () => {
    const one = cluster.node('one');
    const two = cluster.node('two');
    const a = spawnGossip(one, { name: 'flags', protocol: hybrid() });
    const b = spawnGossip(two, { name: 'flags', protocol: entropy() });
    const c = spawnGossip(one, { name: 'news' });
    const d = spawnGossip(two, { name: 'news' });
    await until(() => cluster.log.codes.filter((code) => code === 'PROTOCOL_MISMATCH').length === 2);
    dispatch(c, add('a', 1));
    await until(() => gossipView(d).has('a'));
    expect([gossipView(a).peers, gossipView(b).peers]).toEqual([[], []]);
    const { message } = cluster.log.lines.find(({ level }) => level === 'error') as { message: string };
    expect(message).toContain("'hybrid'");
    expect(message).toContain("'entropy'");
    expect(nodeView(one).links).toHaveLength(1);
  });

  test('says on both sides, once, that a peer has another membership, and what to do', async () => {
    const heard: NodeEvent[] = [];
    const one = cluster.node('one', { membership: swim() });
    const two = cluster.node('two');
    for (const [index, node] of [one, two].entries()) {
      const ref = spawnChild<NodeEvent>(system, {
        name: `refusals ${index}`,
        start: () => ({ receive: (event) => void (event.type === 'refused' && heard.push(event)) }),
      });
      tell(node, subscribe(ref));
    }
    await until(() => heard.length === 2);
    const refusals = [one, two].flatMap((node) => nodeView(node).refusals);
    expect(refusals).toMatchObject([
      { code: 'PROTOCOL_MISMATCH', by: 'us', peer: 'two' },
      { code: 'PROTOCOL_MISMATCH', by: 'us', peer: 'one' },
    ]);
    const said = cluster.log.lines.filter(({ level }) => level === 'error').map(({ message }) => message);
    expect(said).toEqual(refusals.map(({ message }) => message));
    expect(said[0]).toMatch(
      /^The membership runs 'swim' on 'one' and 'static' on 'two'\. .* Give both the same membership/,
    );
    expect(said[1]).toContain("'static' on 'two' and 'swim' on 'one'");
  });

  test('costs a peer the connection that says what its own protocol does not know, and goes on', async () => {
    const liar: Protocol = {
      name: 'hybrid',
      gcMs: false,
      accepts: () => true,
      create: ({ effects }) => ({
        ...mute,
        peersChanged: (peers) =>
          effects.send(
            peers.map(({ name }) => name),
            { type: 'custom', body: 'nonsense' },
          ),
      }),
    };
    const one = spawnGossip(cluster.node('one'));
    spawnGossip(cluster.node('liar'), { protocol: liar });
    await until(() => cluster.log.codes.includes('FRAME_MALFORMED'));
    const three = spawnGossip(cluster.node('three'));
    dispatch(three, add('a', 1));
    await until(() => gossipView(one).has('a'));
    expect(gossipView(one).peers).toContain('three');
  });
});

describe('a frame that does not decode', () => {
  test('costs its sender the connection, and the node nothing', async () => {
    const one = cluster.node('one');
    const gossip = spawnGossip(one);
    await ready(one);
    const ends: CloseInfo[] = [];
    const raw = createMemoryTransport(cluster.network, { name: 'raw', epoch: 1 });
    await raw.start({
      opened(session) {
        session.onFrames = () => {};
        session.send(Uint8Array.of(0x92, 0x02, 0xc1), 'reply');
      },
      closed: (_session, info) => void ends.push(info),
    });
    raw.dial(['memory://one']);
    await until(() => ends.length > 0);
    await raw.close();
    expect(ends[0]).toMatchObject({ error: { code: 'FRAME_MALFORMED' } });
    expect(cluster.log.codes).toContain('FRAME_MALFORMED');
    dispatch(gossip, add('a', 1));
    await until(() => gossipView(gossip).has('a'));
    expect(statsOf(actorAt(one, ['transport']) as Ref<never>)?.restarts).toBe(0);
  });
});

describe('a membership module', () => {
  test('speaks to its like on other nodes, and is told what they say', async () => {
    const heard: unknown[] = [];
    const talkative = (name: string): Membership => ({
      name: 'talkative',
      accepts: (body) => typeof body === 'string',
      create: ({ effects, self }) => ({
        ...passive,
        start: () => effects.dial(name === 'one' ? [] : ['memory://one']),
        connected: (member) => effects.send(member.name, `I am ${self.name} at ${self.url}`),
        receive: (from, body) => void heard.push([from, body]),
      }),
    });
    cluster.node('one', { membership: talkative('one') });
    cluster.node('two', { membership: talkative('two') });
    await until(() => heard.length === 2);
    expect(heard).toContainEqual(['one', 'I am one at memory://one']);
    expect(heard).toContainEqual(['two', 'I am two at memory://two']);
  });

  test('says which rule a message breaks that it does not accept', async () => {
    const record = ['rude', 1, 1, 'alive', null, {}, []];
    const rude: Membership = {
      name: 'swim',
      accepts: () => true,
      create: ({ effects }) => ({
        ...passive,
        start: () => effects.dial(['memory://one']),
        connected: ({ name }) => effects.send(name, [4, [record]]),
      }),
    };
    cluster.node('one', { membership: swim() });
    cluster.node('rude', { membership: rude });
    await until(() => cluster.log.codes.includes('FRAME_MALFORMED'));
    const { message } = cluster.log.lines.find(({ level }) => level === 'warn') as { message: string };
    expect(message).toContain(
      "a message 'custom' of 'swim' whose body has a record (place 0 of news) that has a state",
    );
  });

  test('costs a peer the connection that sends it what it does not accept', async () => {
    const body: Custom['body'] = { nobody: 'accepts this' };
    const rude: Membership = {
      name: 'static',
      accepts: () => true,
      create: ({ effects }) => ({
        ...passive,
        start: () => effects.dial(['memory://one']),
        connected: ({ name }) => effects.send(name, body),
      }),
    };
    cluster.node('one');
    cluster.node('rude', { membership: rude });
    await until(() => cluster.log.codes.includes('FRAME_MALFORMED'));
    const { message } = cluster.log.lines.find(({ level }) => level === 'warn') as { message: string };
    expect(message).toContain("'rude'");
  });
});

describe('an announcing instance', () => {
  test('adds what the original adds, under the id of its content, once', async () => {
    const one = cluster.node('one');
    const announcing = spawnGossip(one, { announce: true });
    const initialized = { node: 'one', action: 'initialized' };
    await until(() => gossipView(announcing).has(contentId(initialized)));
    expect(gossipView(announcing).get(contentId(initialized))).toEqual(initialized);
    const written = gossipView(announcing).status().written;
    injectFault(announcing, new Error('injected'));
    await until(() => restartsOf(one, 'gossip grapevine', 'instance') === 1);
    expect(gossipView(announcing).status().written).toBe(written);

    const two = cluster.node('two');
    const nodeup = { node: 'two', action: 'nodeup' };
    await until(() => gossipView(announcing).has(contentId(nodeup)));
    await stopTree(two);
    await until(() => gossipView(announcing).has(contentId({ node: 'two', action: 'nodedown' })));
    expect(gossipView(announcing).entry(contentId(nodeup))?.expiresAt).toBeGreaterThan(Date.now());
  });

  test('does not write what another has announced and is live', async () => {
    const one = cluster.node('one');
    const ours = spawnGossip(one, { announce: true });
    const two = cluster.node('two');
    const theirs = spawnGossip(two);
    await until(() => gossipView(theirs).peers.length === 1 && gossipView(ours).peers.length === 1);
    const nodeup = { node: 'three', action: 'nodeup' };
    dispatch(theirs, add(contentId(nodeup), nodeup));
    await until(() => gossipView(ours).has(contentId(nodeup)));
    cluster.node('three');
    await until(() => nodeView(one).members.length === 2);
    await turns(20);
    expect(gossipView(ours).entry(contentId(nodeup))?.origin.name).toBe('two');
  });
});

describe('a subscriber', () => {
  test('that comes amid changes is told each by the snapshot or as a change, never by both', async () => {
    const gossip = spawnGossip(cluster.node('one'));
    const early = cluster.audience(gossip);
    await until(() => early.snapshots === 1);
    dispatch(gossip, add('before', 1));
    const late = cluster.audience(gossip);
    dispatch(gossip, add('after', 2));
    await late.has('before', 'after');
    expect(late.changes.map(({ id }) => id)).toEqual(['after']);
    expect(early.changes.map(({ id }) => id)).toEqual(['before', 'after']);
  });

  test('that was the last one leaves nothing behind that changes are kept for', async () => {
    const gossip = spawnGossip(cluster.node('one'));
    const audiences = [cluster.audience(gossip), cluster.audience(gossip)] as const;
    const { replica, subscriptions } = holdingOf(gossip);
    await until(() => subscriptions.size === 2);
    dispatch(gossip, unsubscribe(audiences[0].ref));
    await until(() => subscriptions.size === 1);
    expect(replica.observed).toBe(true);
    dispatch(gossip, unsubscribe(audiences[1].ref));
    await until(() => subscriptions.size === 0);
    expect(replica.observed).toBe(false);
    dispatch(gossip, add('unheard', 1));
    await until(() => gossipView(gossip).has('unheard'));
    expect(replica.changes).toHaveLength(0);
    const late = cluster.audience(gossip);
    await late.has('unheard');
    expect(late.changes).toEqual([]);
  });

  test('that unsubscribes is told what was before, and nothing after', async () => {
    const gossip = spawnGossip(cluster.node('one'));
    const audience = cluster.audience(gossip);
    dispatch(gossip, add('before', 1));
    dispatch(gossip, unsubscribe(audience.ref));
    dispatch(gossip, add('after', 2));
    await until(() => gossipView(gossip).has('after') && audience.changes.length > 0);
    await turns(5);
    expect(audience.changes.map(({ id }) => id)).toEqual(['before']);
    expect(gossipView(gossip).status().subscribers).toBe(0);
  });

  test('that has stopped is forgotten', async () => {
    const gossip = spawnGossip(cluster.node('one'));
    const audience = cluster.audience(gossip);
    await until(() => gossipView(gossip).status().subscribers === 1);
    await stopTree(audience.ref);
    dispatch(gossip, add('a', 1));
    await until(() => gossipView(gossip).status().subscribers === 0);
    expect(gossipView(gossip).has('a')).toBe(true);
  });
});

describe('a write', () => {
  test('that is asked for is answered with its version once it is stored here', async () => {
    const gossip = spawnGossip(cluster.node('one'));
    const write = (message: (replyTo: Ref<WriteReply>) => Parameters<typeof tell>[1]): Promise<WriteReply> =>
      ask(gossip, message as never, { timeoutMs: 1000 });
    const first = await write((replyTo) => add('a', 1, { replyTo }));
    expect(gossipView(gossip).get('a')).toBe(1);
    expect(first).toEqual({ ok: true, versions: [expect.objectContaining({ node: 'one', sequence: 1 })] });
    const many = await write((replyTo) =>
      addMany(
        new Map([
          ['b', 2],
          ['c', 3],
        ]),
        { replyTo },
      ),
    );
    expect(many.ok && many.versions.map(({ sequence }) => sequence)).toEqual([2, 3]);
    const removed = await write((replyTo) => remove('a', { replyTo }));
    expect(removed.ok && removed.versions[0]?.sequence).toBe(4);
    expect(gossipView(gossip).has('a')).toBe(false);
  });

  test('that is too large is refused, of a batch all of it, and the instance goes on', async () => {
    const node = cluster.node('one');
    const gossip = spawnGossip(node, { maxUpdateBytes: 64 });
    const large = 'x'.repeat(100);
    dispatch(gossip, add('large', large));
    const reply = await ask<never, WriteReply>(
      gossip,
      (replyTo) =>
        addMany(
          [
            ['small', 1],
            ['large', large],
          ],
          { replyTo },
        ) as never,
      { timeoutMs: 1000 },
    );
    expect(reply).toEqual({ ok: false, error: expect.objectContaining({ code: 'UPDATE_TOO_LARGE' }) });
    expect(gossipView(gossip).size).toBe(0);
    expect(cluster.log.codes).toEqual(['UPDATE_TOO_LARGE']);
    expect(restartsOf(node, 'gossip grapevine', 'instance')).toBe(0);
  });

  test('that was not made by add is refused, and so is what is no message at all', async () => {
    const node = cluster.node('one');
    const gossip = spawnGossip(node);
    tell(gossip, { type: 'add', id: 'a', value: 1 } as never);
    tell(gossip, { type: 'add', id: '', bytes: '\x01' } as never);
    for (const nonsense of ['hello', null, undefined, {}]) {
      tell(gossip, nonsense as never);
      tell(node, nonsense as never);
    }
    dispatch(gossip, add('b', 2));
    await until(() => gossipView(gossip).has('b'));
    expect(cluster.log.codes).toEqual(['VALUE_NOT_SERIALISABLE', 'ID_INVALID']);
    expect(restartsOf(node, 'gossip grapevine', 'instance')).toBe(0);
    expect(statsOf(node)?.restarts).toBe(0);
    expect(gossipView(gossip).size).toBe(1);
  });

  test('with expiresIn is told as expired when its time is over', async () => {
    let nowMs = Date.now();
    const gossip = spawnGossip(cluster.node('one', { clock: () => nowMs }), {
      protocol: hybrid({ entropy: { gc: 5 } }),
    });
    const audience = cluster.audience(gossip);
    dispatch(gossip, add('a', 1, { expiresIn: 60_000 }));
    await audience.has('a');
    nowMs += 60_001;
    await until(() => !audience.content.has('a'));
    expect(audience.changes.map(({ type }) => type)).toEqual(['update', 'expired']);
  });
});
