/** Leaving and arriving: what is lost is said, who has come knows it, and whoever is refused knows why. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { entropy, GossipError, hybrid, type Protocol, rumor, staticMembership, swim } from '@grapevine/core';
import { createMemoryTransport } from '@grapevine/transport';
import { start, stop } from 'nact';

import type { NodeEvent } from './events.ts';
import { joined, leaveGrapevine, spawnGossip, spawnGrapevine, stopGossip, synced } from './grapevine.ts';
import { isGone, spawnChild, stopTree, tell } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { Ref } from './kernel/nact.ts';
import { until } from './kernel/testing/event-loop.ts';
import type { LeaveReport } from './leave-report.ts';
import {
  add,
  addMany,
  type GossipMessage,
  type JoinedReply,
  leave,
  type NodeMessage,
  subscribe,
  type SyncedReply,
  whenJoined,
  whenSynced,
  type WriteReply,
} from './messages.ts';
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

const nobody = { membership: staticMembership() };
const dialling = (name: string): { membership: ReturnType<typeof staticMembership> } => ({
  membership: staticMembership({ peers: [`memory://${name}`] }),
});
/** Longer than a wait that it asks for may take. */
const slowly = { timeoutMs: 5000 };
const none: LeaveReport = { undelivered: 0, gossips: {}, unknown: [] };

function codeOf(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return (error as GossipError).code;
  }
}

function many(gossip: Ref<GossipMessage>, count: number): void {
  tell(gossip, addMany(Array.from({ length: count }, (_, i) => [`id ${i}`, i] as const)));
}

const protocols: readonly (readonly [string, () => Protocol])[] = [
  ['hybrid', () => hybrid()],
  ['entropy', () => entropy()],
  ['rumor', () => rumor()],
  ['rumor that pulls', () => rumor({ direction: 'pull', eager: false })],
];

describe.each(protocols)('a node that leaves, with %s', (_name, protocol) => {
  test('straight after its first write waits for one peer to have it', async () => {
    const [one, two] = [cluster.node('one'), cluster.node('two')];
    const kept = spawnGossip(one, { protocol: protocol() });
    tell(spawnGossip(two, { protocol: protocol() }), add('x', 1));
    expect(await leaveGrapevine(two)).toEqual(none);
    expect(gossipView(kept).get('x')).toBe(1);
  });

  test('brings 20,000 writes to a peer', async () => {
    const [one, two] = [cluster.node('one'), cluster.node('two')];
    const kept = spawnGossip(one, { protocol: protocol() });
    many(spawnGossip(two, { protocol: protocol() }), 20_000);
    expect(await leaveGrapevine(two)).toEqual(none);
    expect(gossipView(kept).size).toBe(20_000);
  });

  test('reports what nobody has at its deadline, and warns of it', async () => {
    const alone = cluster.node('alone', dialling('nobody'));
    many(spawnGossip(alone, { name: 'flags', protocol: protocol() }), 3);
    expect(await leaveGrapevine(alone, { deadlineMs: 50 })).toEqual({
      undelivered: 3,
      gossips: { flags: 3 },
      unknown: [],
    });
    expect(cluster.log.codes).toContain('UNDELIVERED');
  });
});

describe('a node that leaves', () => {
  test('fails with UNDELIVERED where that is asked for, and has stopped', async () => {
    const alone = cluster.node('alone', dialling('nobody'));
    tell(spawnGossip(alone, { name: 'flags' }), add('x', 1));
    const left = leaveGrapevine(alone, { deadlineMs: 50, required: true });
    await expect(left).rejects.toMatchObject({
      code: 'UNDELIVERED',
      stateChanged: true,
      context: { undelivered: 1, gossips: { flags: 1 } },
    });
    expect(nodeView(alone).stopped).toBe(true);
  });

  test('and was given nobody to find leaves at once', async () => {
    const alone = cluster.node('alone', nobody);
    tell(spawnGossip(alone, { name: 'flags' }), add('x', 1));
    const startedMs = performance.now();
    expect(await leaveGrapevine(alone, { deadlineMs: 60_000 })).toMatchObject({ undelivered: 1 });
    expect(performance.now() - startedMs).toBeLessThan(30_000);
  });

  test('and is at the end of a cluster that has said goodbye leaves at once', async () => {
    const [one, two] = [cluster.node('one', nobody), cluster.node('two')];
    const gossip = spawnGossip(one);
    spawnGossip(two);
    await joined(one);
    await leaveGrapevine(two);
    await until(() => nodeView(one).links.length === 0);
    tell(gossip, add('x', 1));
    expect(await leaveGrapevine(one, { deadlineMs: 60_000 })).toMatchObject({ undelivered: 1 });
  });

  test('waits for a member that is down, and may be back', async () => {
    const membership = swim({ probeInterval: 40, probeTimeout: 20, suspicionMult: 2, gossipInterval: 10 });
    const [one, two] = [cluster.node('one', { membership }), cluster.node('two')];
    const gossip = spawnGossip(one);
    await joined(one);
    await stopTree(two);
    await until(() => nodeView(one).roster.some(({ state }) => state === 'down'));
    tell(gossip, add('x', 1));
    const left = leaveGrapevine(one, { deadlineMs: 60_000 });
    const again = spawnGossip(cluster.node('two', dialling('one')));
    expect(await left).toEqual(none);
    expect(gossipView(again).get('x')).toBe(1);
  });

  test('counts what only a peer had that is gone', async () => {
    const [one, two] = [cluster.node('one'), cluster.node('two')];
    spawnGossip(one);
    const gossip = spawnGossip(two, { name: 'grapevine' });
    await synced(gossip);
    tell(gossip, add('x', 1));
    await until(() => nodeView(one).gossips.length === 1 && gossipView(gossip).peers.length === 1);
    await stopTree(one);
    await until(() => nodeView(two).links.length === 0);
    expect(await leaveGrapevine(two, { deadlineMs: 50 })).toMatchObject({ undelivered: 1 });
  });

  // Blind rumors tell nothing of whom they reached, and a node that was given nobody has nobody to wait for: the writers wait all the same.
  test.each([
    ['hybrid', dialling('one'), () => hybrid(), ['x', 'y', 'z']],
    [
      'blind rumors',
      dialling('one'),
      () => rumor({ blind: true, removal: 'coin', eager: false, delta: 20 }),
      ['x', 'y', 'z'],
    ],
    ['nobody to find', nobody, () => hybrid(), []],
  ])('waits for what its handler has not judged yet, with %s', async (_, options, protocol, expected) => {
    const kept = spawnGossip(cluster.node('one'), { protocol: protocol() });
    const two = cluster.node('two', options);
    const push = (): Promise<'ok'> => new Promise((resolve) => setTimeout(() => resolve('ok'), 30));
    const gossip = spawnGossip(two, { protocol: protocol(), judgeWrites: true, handler: { push } });
    if (options !== nobody) await joined(two);
    const written = ['x', 'y', 'z'].map((id) =>
      ask(gossip, (replyTo: Ref<WriteReply>) => add(id, 1, { replyTo }), { timeoutMs: 5000 }),
    );
    await leaveGrapevine(two);
    expect(await Promise.all(written)).toMatchObject([{ ok: true }, { ok: true }, { ok: true }]);
    expect([...gossipView(kept).keys()]).toEqual(expected);
  });

  test('says that no connected node runs its gossip, where that is why nobody takes its writes', async () => {
    spawnGossip(cluster.node('one'), { name: 'flags' });
    const two = cluster.node('two', dialling('one'));
    tell(spawnGossip(two, { name: 'flag' }), add('x', 1));
    await joined(two);
    expect(await leaveGrapevine(two, { deadlineMs: 50 })).toMatchObject({ undelivered: 1 });
    expect(cluster.log.lines.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("no connected node runs the gossip 'flag'"),
    );
  });

  test('counts each write of what its handler has not judged at the deadline', async () => {
    const two = cluster.node('two', dialling('nobody'));
    const push = (): Promise<'ok'> => new Promise(() => {});
    many(spawnGossip(two, { name: 'flags', judgeWrites: true, handler: { push } }), 3);
    const startMs = performance.now();
    expect(await leaveGrapevine(two, { deadlineMs: 50 })).toMatchObject({ undelivered: 3, gossips: { flags: 3 } });
    expect(performance.now() - startMs).toBeLessThan(900);
  });

  test('by a message tells who asked, and the second who asks the same', async () => {
    const alone = cluster.node('alone', dialling('nobody'));
    tell(spawnGossip(alone, { name: 'flags' }), add('x', 1));
    const report = await new Promise<LeaveReport>((resolve) => {
      const replyTo = spawnChild<LeaveReport>(system, { name: 'asker', start: () => ({ receive: resolve }) });
      tell(alone, leave({ deadlineMs: 50, replyTo }));
    });
    expect(report).toMatchObject({ undelivered: 1 });
    expect(await leaveGrapevine(alone)).toEqual(report);
  });

  test('says what was lost where nact has stopped it before', async () => {
    const own = start();
    const other = new Cluster(own);
    const alone = other.node('alone', dialling('nobody'));
    const gossip = spawnGossip(alone, { name: 'flags' });
    await ask(gossip, (replyTo) => add('x', 1, { replyTo }), { timeoutMs: 1000 });
    stop(own);
    await until(() => nodeView(alone).stopped && isGone(gossip));
    expect(await leaveGrapevine(alone)).toEqual({ undelivered: 1, gossips: { flags: 1 }, unknown: [] });
  });

  test('names an instance whose protocol cannot tell', async () => {
    const alone = cluster.node('alone', dialling('nobody'));
    tell(spawnGossip(alone, { name: 'news', protocol: rumor({ blind: true }) }), add('x', 1));
    expect(await leaveGrapevine(alone, { deadlineMs: 60_000 })).toEqual({ ...none, unknown: ['news'] });
  });

  test('refuses a deadline that is none, and goes on', async () => {
    const alone = cluster.node('alone', nobody);
    await expect(leaveGrapevine(alone, { deadlineMs: -1 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
    expect(() => leave({ deadlineMs: Number.NaN })).toThrow(GossipError);
    expect(nodeView(alone).stopped).toBe(false);
  });
});

describe('an instance that is stopped', () => {
  test('brings what was written to a peer first, and reports what nobody has', async () => {
    const [one, two] = [cluster.node('one'), cluster.node('two')];
    const kept = spawnGossip(one, { name: 'flags' });
    const flags = spawnGossip(two, { name: 'flags' });
    const lonely = spawnGossip(two, { name: 'lonely' });
    many(flags, 500);
    tell(lonely, add('x', 1));
    expect(await stopGossip(flags)).toEqual(none);
    expect(gossipView(kept).size).toBe(500);
    expect(await stopGossip(lonely, { deadlineMs: 50 })).toMatchObject({ undelivered: 1, gossips: { lonely: 1 } });
    expect(await leaveGrapevine(two)).toMatchObject({ undelivered: 1, gossips: { lonely: 1 } });
  });

  test('and is opened again under its name reports its own, each time that it is asked, and the node reports all', async () => {
    const alone = cluster.node('alone', dialling('nobody'));
    const first = spawnGossip(alone, { name: 'flags' });
    many(first, 3);
    expect(await stopGossip(first, { deadlineMs: 0 })).toMatchObject({ undelivered: 3 });
    const second = spawnGossip(alone, { name: 'flags' });
    tell(second, add('x', 1));
    const reports = await Promise.all([second, second].map((gossip) => stopGossip(gossip, { deadlineMs: 0 })));
    expect(reports).toMatchObject([{ undelivered: 1 }, { undelivered: 1 }]);
    expect(await stopGossip(first)).toMatchObject({ undelivered: 3 });
    expect(await leaveGrapevine(alone, { deadlineMs: 0 })).toMatchObject({ undelivered: 4, gossips: { flags: 4 } });
  });
});

describe('joined', () => {
  test('waits for another member, and says who is there', async () => {
    const one = cluster.node('one', nobody);
    const two = cluster.node('two');
    expect(await joined(two)).toMatchObject([{ name: 'one' }]);
    await joined(one);
    expect(nodeView(two).joined).toBe(true);
  });

  test('is so at once where nobody was configured, and where all addresses lead to the node itself', async () => {
    expect(await joined(cluster.node('one', nobody))).toEqual([]);
    expect(await joined(cluster.node('self', dialling('self')))).toEqual([]);
    const seeds = ['memory://alone'];
    expect(await joined(cluster.node('alone', { membership: swim({ seeds }) }), { timeoutMs: 5000 })).toEqual([]);
    // As the first pod of a headless service.
    const source = { name: 'list', find: async (): Promise<string[]> => ['memory://first'] };
    expect(await joined(cluster.node('first', { membership: swim({ seeds: [source] }) }), { timeoutMs: 5000 })).toEqual(
      [],
    );
  });

  test('fails with JOIN_TIMEOUT and the cause where nobody answers, and the node goes on trying', async () => {
    const two = cluster.node('two', dialling('one'));
    await expect(joined(two, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'JOIN_TIMEOUT',
      cause: { code: 'PEER_UNREACHABLE' },
    });
    cluster.node('one', nobody);
    expect(await joined(two)).toMatchObject([{ name: 'one' }]);
  });

  test.each([
    ['WRONG_CLUSTER', { cluster: 'production' }, { cluster: 'staging' }],
    [
      'KEY_MISMATCH',
      { security: { keys: ['a key for tests alone: one'] } },
      { security: { keys: ['a key for tests alone: two'] } },
    ],
    ['KEY_REQUIRED', { security: { keys: ['a key for tests alone: one'] } }, {}],
  ] as const)('fails with %s at once where every address refuses the node so', async (code, theirs, ours) => {
    const one = cluster.node('one', { ...nobody, ...theirs });
    const two = cluster.node('two', ours);
    const heard: NodeEvent[] = [];
    tell(
      two,
      subscribe(
        spawnChild<NodeEvent>(system, {
          name: 'listener',
          start: () => ({ receive: (event) => void heard.push(event) }),
        }),
      ),
    );
    await expect(joined(two, { timeoutMs: 60_000 })).rejects.toMatchObject({
      code,
      message: expect.stringContaining('"two"'),
    });
    expect(nodeView(two).refusals[0]).toMatchObject({
      code,
      by: 'peer',
      url: 'memory://one',
      atMs: expect.any(Number),
    });
    expect(nodeView(one).refusals[0]).toMatchObject({ code, by: 'us', url: null });
    await until(() => heard.some(({ type }) => type === 'refused'));
    expect(heard.filter(({ type }) => type === 'refused')).toMatchObject([{ refusal: { code, by: 'peer' } }]);
    expect(nodeView(two).joined).toBe(false);
  });

  test('fails with NAME_TAKEN where a living node bears the name', async () => {
    cluster.node('one', nobody);
    await joined(cluster.node('two', dialling('one')));
    // Another process, as far as nact is concerned: one of its systems has each name once.
    const own = start();
    const other = spawnGrapevine(own, {
      name: 'two',
      ...dialling('one'),
      redialMinMs: 1,
      transport: (given) => createMemoryTransport(cluster.network, given),
    });
    await expect(joined(other, { timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'NAME_TAKEN' });
    await stopTree(other);
    stop(own);
  });

  test('is not ended by one address that refuses while another may still answer', async () => {
    cluster.node('foreign', { ...nobody, cluster: 'another' });
    const membership = staticMembership({ peers: ['memory://foreign', 'memory://one'] });
    const two = cluster.node('two', { membership });
    await expect(joined(two, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'JOIN_TIMEOUT',
      cause: { code: 'WRONG_CLUSTER' },
    });
    cluster.node('one', nobody);
    expect(await joined(two)).toMatchObject([{ name: 'one' }]);
  });

  test('as a message tells an actor who is there, or why not', async () => {
    const one = cluster.node('one', nobody);
    const two = cluster.node('two');
    expect(await ask(two, (replyTo: Ref<JoinedReply>) => whenJoined({ replyTo }), slowly)).toMatchObject({
      ok: true,
      members: [{ name: 'one' }],
    });
    expect(await ask(one, (replyTo: Ref<JoinedReply>) => whenJoined({ replyTo }), slowly)).toMatchObject({ ok: true });
    const alone = cluster.node('three', dialling('nobody'));
    expect(
      await ask(alone, (replyTo: Ref<JoinedReply>) => whenJoined({ replyTo, timeoutMs: 50 }), slowly),
    ).toMatchObject({ ok: false, error: { code: 'JOIN_TIMEOUT' } });
    expect(() => whenJoined({ replyTo: one as never, timeoutMs: -1 })).toThrow(GossipError);
  });

  test('fails with ACTOR_GONE where the node stops before', async () => {
    const two = cluster.node('two', dialling('one'));
    const waiting = joined(two);
    void stopTree(two);
    await expect(waiting).rejects.toMatchObject({ code: 'ACTOR_GONE' });
  });
});

describe('synced', () => {
  test.each(protocols.slice(0, 2))('means that what was there before is here, with %s', async (_name, protocol) => {
    const one = cluster.node('one', nobody);
    const before = spawnGossip(one, { protocol: protocol() });
    many(before, 20_000);
    await until(() => gossipView(before).size === 20_000);
    const after = spawnGossip(cluster.node('two'), { protocol: protocol() });
    await synced(after);
    expect(gossipView(after).size).toBe(20_000);
    expect(gossipView(after).status().synced).toBe(true);
  });

  test('as a message tells an actor that what was there before is here, or why not', async () => {
    many(spawnGossip(cluster.node('one', nobody)), 100);
    const two = cluster.node('two');
    const [after, other] = [spawnGossip(two), spawnGossip(two, { name: 'other' })];
    expect(await ask(after, (replyTo: Ref<SyncedReply>) => whenSynced({ replyTo }), slowly)).toEqual({ ok: true });
    expect(gossipView(after).size).toBe(100);
    expect(
      await ask(other, (replyTo: Ref<SyncedReply>) => whenSynced({ replyTo, timeoutMs: 50 }), slowly),
    ).toMatchObject({ ok: false, error: { code: 'SYNC_TIMEOUT' } });
    expect(() => whenSynced({ replyTo: after as never, timeoutMs: Number.NaN })).toThrow(GossipError);
  });

  test('means with rumor that a peer was met', async () => {
    spawnGossip(cluster.node('one', nobody), { protocol: rumor() });
    const after = spawnGossip(cluster.node('two'), { protocol: rumor() });
    expect(gossipView(after).status().synced).toBe(false);
    await synced(after);
    expect(gossipView(after).peers).toEqual(['one']);
  });

  test('is so at once where the node may be alone', async () => {
    await expect(synced(spawnGossip(cluster.node('one', nobody)))).resolves.toBeUndefined();
  });

  test('fails with SYNC_TIMEOUT where no member runs the instance', async () => {
    cluster.node('one', nobody);
    const gossip = spawnGossip(cluster.node('two'), { name: 'flags' });
    await expect(synced(gossip, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'SYNC_TIMEOUT',
      message: expect.stringContaining("no member that it has met runs 'flags'"),
    });
  });

  test('fails with PROTOCOL_MISMATCH where all members run another protocol, and both status say so', async () => {
    const theirs = spawnGossip(cluster.node('one', nobody), { protocol: rumor() });
    const ours = spawnGossip(cluster.node('two'), { protocol: entropy() });
    await expect(synced(ours, { timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'PROTOCOL_MISMATCH' });
    expect(gossipView(ours).status().refusals).toMatchObject([{ code: 'PROTOCOL_MISMATCH', peer: 'one' }]);
    expect(gossipView(theirs).status().refusals).toMatchObject([{ code: 'PROTOCOL_MISMATCH', peer: 'two' }]);
  });

  test('fails as joined does where every address refuses the node', async () => {
    cluster.node('one', { ...nobody, cluster: 'another' });
    await expect(synced(spawnGossip(cluster.node('two')), { timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'WRONG_CLUSTER',
    });
  });
});

describe('a view', () => {
  test.each([
    ['an instance that was stopped', stopGossip],
    ['an instance whose node has left', (_: Ref<GossipMessage>, node: Ref<NodeMessage>) => leaveGrapevine(node)],
    ['an instance whose node was stopped', (_: Ref<GossipMessage>, node: Ref<NodeMessage>) => stopTree(node)],
  ])('of %s says ACTOR_GONE in place of what was there', async (_what, end) => {
    const node = cluster.node('one', nobody);
    const gossip = spawnGossip(node, { name: 'flags' });
    await ask(gossip, (replyTo) => add('x', 1, { replyTo }), { timeoutMs: 1000 });
    const view = gossipView(gossip);
    expect([view.stopped, view.get('x')]).toEqual([false, 1]);
    await end(gossip, node);
    for (const read of [
      () => view.get('x'),
      () => view.has('x'),
      () => view.entry('x'),
      () => view.entries(),
      () => view.keys(),
      () => view.size,
      () => view.hidden(),
      () => view.hash,
      () => view.contentHash,
      () => view.peers,
      () => view.status(),
      () => gossipView(gossip).get('x'),
    ])
      expect([String(read), codeOf(read)]).toEqual([String(read), 'ACTOR_GONE']);
    const { name, node: host, protocol, stopped } = view;
    expect([name, host, protocol, stopped]).toEqual(['flags', 'one', 'hybrid', true]);
  });

  test('of a node that has stopped says ACTOR_GONE in place of who was there', async () => {
    cluster.node('one', nobody);
    const two = cluster.node('two');
    await joined(two);
    const view = nodeView(two);
    const { url, epoch } = view;
    await leaveGrapevine(two);
    for (const read of [
      () => view.members,
      () => view.roster,
      () => view.links,
      () => view.self,
      () => view.joined,
      () => view.alone,
      () => view.refusals,
      () => view.gossips,
      () => view.gossip('flags'),
      () => view.totals,
      () => view.subscribers,
      () => view.subscribersBehind,
      () => nodeView(two).members,
    ])
      expect([String(read), codeOf(read)]).toEqual([String(read), 'ACTOR_GONE']);
    expect([view.name, view.url, view.epoch, view.stopped]).toEqual(['two', url, epoch, true]);
  });

  test('of a node has the node itself, as others see it', async () => {
    const node = cluster.node('one', nobody);
    await joined(node);
    const { self, epoch, url } = nodeView(node);
    expect(self).toEqual({ name: 'one', epoch, url });
  });
});
