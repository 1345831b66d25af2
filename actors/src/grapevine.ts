/**
 * The root of a node's tree: `grapevine`, which owns the holdings and supervises transport, membership and gossips.
 *
 * Invariants
 *  1. Rest for one: whoever crashes, those that were started after it and build on it start again with it.
 *  2. What is known lives in the node, not in the actors: see node.ts and holding.ts.
 *  3. A node stops last started first: instances, then membership, then the transport, which sends what waits.
 *
 * Source: docs/architecture.md.
 */

import { GossipError } from '@grapevine/core';

import { gossipSpec } from './gossip.ts';
import { Holding } from './holding.ts';
import type { InstanceMessage } from './instance-messages.ts';
import { spawnChild, stopTree, tell } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { ActorSpec } from './kernel/behaviour.ts';
import type { Ref } from './kernel/nact.ts';
import { onceGone } from './kernel/watch.ts';
import { trackerParty, trackerSpec } from './membership.ts';
import type { TrackerMessage } from './membership-messages.ts';
import type { GossipMessage, NodeMessage } from './messages.ts';
import { newEpoch, noteEpoch, Node } from './node.ts';
import { type GossipOptions, type NodeOptions, resolveGossipOptions, resolveNodeOptions } from './options.ts';
import { membershipParty } from './party.ts';
import { quiet } from './quiet.ts';
import { transportSpec } from './transport.ts';

/** The nodes and holdings behind references: they are read where no message can wait. */
const nodes = new WeakMap<object, Node>();
const holdings = new WeakMap<object, Holding>();

/**
 * Starts a node under a nact system or any actor. It returns at once; `ready` tells when it listens.
 * @throws GossipError OPTIONS_INVALID that lists every violation, NACT_MISMATCH, ACTOR_NAME_TAKEN; nothing started
 */
export function spawnGrapevine(parent: Ref<never>, options: NodeOptions): Ref<NodeMessage> {
  const node = new Node(resolveNodeOptions(options));
  const { logger, random } = node.options;
  const ref = spawnChild(parent, rootSpec(node), { logger, random });
  onceGone(ref, () => node.ready.reject(gone(`The node '${node.options.name}' stopped before it listened.`)));
  return ref;
}

function rootSpec(node: Node): ActorSpec<NodeMessage> {
  return {
    name: `grapevine ${node.options.name}`,
    supervision: { strategy: 'rest-for-one' },
    // All below it stops one after the other, each within its own bounds.
    start(self) {
      node.rootRef = self.ref;
      nodes.set(self.ref, node);
      if (!node.parties.has(membershipParty)) node.parties.set(membershipParty, trackerParty(node));
      node.transportRef = self.spawn(transportSpec(node));
      node.trackerRef = self.spawn(trackerSpec(node));
      node.place([], self.ref);
      node.place(['transport'], node.transportRef);
      node.place(['membership'], node.trackerRef);
      return {
        receive(message) {
          receive(node, self.ref, message);
        },
      };
    },
  };
}

function receive(node: Node, self: Ref<NodeMessage>, message: NodeMessage): void {
  // Whatever a user dispatches, nothing at all included.
  switch (message?.type) {
    case 'subscribe':
      return node.audience.add(message.subscriber);
    case 'unsubscribe':
      return node.audience.delete(message.subscriber);
    case 'describe':
      if (node.trackerRef !== null) tell(node.trackerRef, message);
      return;
    case 'rotate-keys':
    case 'renew-tls':
      if (node.transportRef !== null) tell(node.transportRef, message);
      return;
    case 'leave':
      void leaveGrapevine(self);
      return;
    default:
      message satisfies never;
      node.options.logger.warn({ node: node.options.name }, 'a node was sent something that is no message to it');
  }
}

/**
 * @returns the URL under which others dial the node, once it listens
 * @throws (rejects) GossipError PORT_IN_USE, ADDRESS_UNAVAILABLE: the node stops then; ACTOR_GONE when it was stopped before
 */
export function ready(node: Ref<NodeMessage>): Promise<{ readonly url: string | null }> {
  return nodeOf(node).ready.promise;
}

/**
 * Starts a gossip instance on a node.
 * @returns the instance's address, good over every restart
 * @throws GossipError OPTIONS_INVALID that lists every violation, GOSSIP_NAME_TAKEN, ACTOR_GONE; nothing started
 */
export function spawnGossip(node: Ref<NodeMessage>, options: GossipOptions = {}): Ref<GossipMessage> {
  const host = nodeOf(node);
  const resolved = resolveGossipOptions(options, host.options);
  const { name } = resolved;
  if (host.holdings.has(name))
    throw new GossipError(
      'GOSSIP_NAME_TAKEN',
      `The node '${host.options.name}' already runs a gossip instance '${name}'.`,
    );
  const { clock, random, maxDriftMs, forgetAfter } = host.options;
  const holding = new Holding({
    node: host.options.name,
    channel: host.newChannel(),
    epoch: newEpoch(clock()),
    options: resolved,
    maxDriftMs,
    forgetAfterMs: forgetAfter,
    clock,
    random,
    encoder: host.encoder,
    lines: host.lines,
    isKnown: (origin) => host.knows(origin),
    view: host.view,
  });
  const place = `gossip ${name}`;
  const supervisor = spawnChild(
    node,
    gossipSpec(holding, (below, ref) => host.place([place, ...below], ref)),
  );
  const instance = holding.instanceRef;
  if (instance === null) {
    void stopTree(supervisor);
    throw gone(`The node '${host.options.name}' is just being started anew; try again.`);
  }
  holding.supervisorRef = supervisor;
  host.place([place], supervisor);
  host.holdings.set(name, holding);
  host.parties.set(name, holding);
  holdings.set(instance, holding);
  for (const link of host.links.values()) tell(link, { type: 'party-spawned', party: holding });
  onceGone(supervisor, () => forgetHolding(host, holding));
  return instance;
}

function forgetHolding(node: Node, holding: Holding): void {
  node.holdings.delete(holding.instance);
  node.parties.delete(holding.instance);
  holding.pressure.letGo();
  // Peers may have taught the replica a higher epoch than this process gave: its successor must not write under that.
  noteEpoch(holding.replica.origin.epoch);
  for (const link of node.links.values()) tell(link, { type: 'party-stopped', party: holding });
}

/** Stops one gossip instance; what it held here is gone, and its name free again. Never rejects. */
export async function stopGossip(gossip: Ref<GossipMessage>): Promise<void> {
  const supervisor = holdingOf(gossip).supervisorRef;
  if (supervisor !== null) await stopTree(supervisor);
}

/** How long a node that leaves waits for its instances, and then for its peers to fall silent, in milliseconds. */
const flushMs = 1000;

/**
 * Has a node leave: everything that was sent to its instances is done, what they have for others is sent, the
 * membership says goodbye, and the tree stops. Never rejects, and takes some seconds at most.
 */
export async function leaveGrapevine(node: Ref<NodeMessage>): Promise<void> {
  const host = nodes.get(node);
  if (host !== undefined) {
    const flushes = [...host.holdings.values()].map((holding) =>
      ask(holding.ref, (replyTo: Ref<true>): InstanceMessage => ({ type: 'flush', replyTo }), { timeoutMs: flushMs }),
    );
    await Promise.allSettled(flushes);
    if (host.lines.size > 0 && host.holdings.size > 0) await quiet(host, { quietMs: 50, timeoutMs: flushMs });
    const { trackerRef } = host;
    if (trackerRef !== null)
      await ask(trackerRef, (replyTo: Ref<true>): TrackerMessage => ({ type: 'goodbye', replyTo }), {
        timeoutMs: flushMs,
      }).catch(() => {});
  }
  await stopTree(node);
}

/** The node behind a reference. @throws GossipError ACTOR_GONE when it is none of a node's */
export function nodeOf(ref: Ref<NodeMessage>): Node {
  const node = nodes.get(ref);
  if (node === undefined) throw gone('This is not the reference of a node; spawnGrapevine returns one.');
  return node;
}

/** The holding behind a reference. @throws GossipError ACTOR_GONE when it is none of a gossip instance */
export function holdingOf(ref: Ref<GossipMessage>): Holding {
  const holding = holdings.get(ref);
  if (holding === undefined) throw gone('This is not the reference of a gossip instance; spawnGossip returns one.');
  return holding;
}

/**
 * An actor of a node's tree by its place, such as `['gossip flags', 'instance']` or `['transport', 'link node-2']`. For
 * tests, which inject faults.
 */
export function actorAt(node: Ref<NodeMessage>, path: readonly string[]): Ref<never> | undefined {
  return nodeOf(node).places.get(path.join('/'));
}

function gone(message: string): GossipError {
  return new GossipError('ACTOR_GONE', message);
}
