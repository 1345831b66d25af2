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

import { GossipError, type Member } from '@grapevine/core';

import { gossipSpec } from './gossip.ts';
import { Holding } from './holding.ts';
import { isGone, spawnChild, stopTree, tell } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { ActorSpec } from './kernel/behaviour.ts';
import { isTakenOver, onTakeOver, type Ref } from './kernel/nact.ts';
import { onceGone } from './kernel/watch.ts';
import { deadlineOf, type LeaveOptions, type LeaveReport } from './leave-report.ts';
import { checkReport, deliver, reportOf, undeliveredError } from './leaving.ts';
import { trackerParty, trackerSpec } from './membership.ts';
import type { TrackerMessage } from './membership-messages.ts';
import type { GossipMessage, NodeMessage, WhenJoined } from './messages.ts';
import { newEpoch, noteEpoch, Node } from './node.ts';
import { type GossipOptions, type NodeOptions, resolveGossipOptions, resolveNodeOptions } from './options.ts';
import { membershipParty } from './party.ts';
import { quiet } from './quiet.ts';
import { transportSpec } from './transport.ts';
import { timeoutOf, waitFor, type WaitingOptions } from './waiting.ts';
import { time } from './kernel/time.ts';

/** The nodes and holdings behind references: they are read where no message can wait. */
const nodes = new WeakMap<object, Node>();
const holdings = new WeakMap<object, Holding>();
/** On which node a holding is. */
const hosts = new WeakMap<Holding, Node>();

/**
 * Starts a node under a nact system or any actor. It returns at once; `ready` tells when it listens.
 * @throws GossipError OPTIONS_INVALID that lists every violation, NACT_MISMATCH, ACTOR_NAME_TAKEN; nothing started
 */
export function spawnGrapevine(parent: Ref<never>, options: NodeOptions): Ref<NodeMessage> {
  const node = new Node(resolveNodeOptions(options));
  const { logger, random } = node.options;
  const ref = spawnChild(parent, rootSpec(node), { logger, random });
  watchSystem(node, ref);
  onceGone(ref, () => node.ready.reject(gone(`The node '${node.options.name}' stopped before it listened.`)));
  return ref;
}

/** Says once and loudly that messages to this node get lost, where two actor systems of one name run in this process. */
function watchSystem(node: Node, ref: Ref<NodeMessage>): void {
  const { logger, name } = node.options;
  let isSaid = false;
  const say = (): void => {
    if (isSaid) return;
    isSaid = true;
    const error = new GossipError(
      'SYSTEM_NAME_TAKEN',
      `Two actor systems of one name run in this process: nact finds systems by name, so what is dispatched to actors of the first, the node '${name}' perhaps among them, is lost. Give each system a name of its own, or none: start() makes one up.`,
      { context: { node: name } },
    );
    logger.error({ err: error, node: name }, error.message);
  };
  if (isTakenOver(ref)) say();
  onceGone(ref, onTakeOver(ref, say));
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
      if (message.prefix !== undefined) break;
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
    case 'when-joined':
      if (typeof message.replyTo !== 'object') break;
      return answerJoined(self, message);
    case 'leave':
      void leaveGrapevine(self, { deadlineMs: message.deadlineMs }).then((report) => {
        if (message.replyTo !== undefined) tell(message.replyTo, report);
      });
      return;
    default:
      message satisfies never;
  }
  node.options.logger.warn({ node: node.options.name }, 'a node was sent something that is no message to it');
}

function answerJoined(self: Ref<NodeMessage>, { timeoutMs, replyTo }: WhenJoined): void {
  joined(self, { timeoutMs }).then(
    (members) => tell(replyTo, { ok: true, members }),
    (error: GossipError) => tell(replyTo, { ok: false, error }),
  );
}

/**
 * @returns the URL under which others dial the node, once it listens
 * @throws (rejects) GossipError PORT_IN_USE, ADDRESS_UNAVAILABLE: the node stops then; ACTOR_GONE when it was stopped before
 */
export function ready(node: Ref<NodeMessage>): Promise<{ readonly url: string | null }> {
  const host = nodeOf(node);
  host.isReadyAwaited = true;
  return host.ready.promise;
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
    epoch: newEpoch(clock(), random),
    options: resolved,
    maxDriftMs,
    forgetAfterMs: forgetAfter,
    clock,
    random,
    encoder: host.encoder,
    lines: host.lines,
    isKnown: (origin) => host.knows(origin),
    view: host.view,
    arrival: host.arrival,
  });
  hosts.set(holding, host);
  holding.synced = (timeoutMs) => untilSynced(holding, host, timeoutMs);
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
  const undelivered = holding.undelivered();
  if (undelivered !== 0) {
    const before = node.abandoned.get(holding.instance) ?? 0;
    node.abandoned.set(holding.instance, undelivered === undefined ? undefined : before + undelivered);
  }
  node.holdings.delete(holding.instance);
  node.parties.delete(holding.instance);
  holding.pressure.letGo();
  // Peers may have taught the replica a higher epoch than this process gave: its successor must not write under that.
  noteEpoch(holding.replica.origin.epoch);
  for (const link of node.links.values()) tell(link, { type: 'party-stopped', party: holding });
}

/**
 * Stops one gossip instance in good order: waits until others have what was written in it here, as `leaveGrapevine` does.
 * What it held here is gone then, and its name free again.
 * @returns what no other node is known to have
 * @throws (rejects) GossipError OPTIONS_INVALID (`deadlineMs`), nothing stopped; UNDELIVERED if it is `required`, stopped
 */
export async function stopGossip(gossip: Ref<GossipMessage>, options: LeaveOptions = {}): Promise<LeaveReport> {
  const holding = holdingOf(gossip);
  const host = hosts.get(holding) as Node;
  const deadlineMs = deadlineOf(options);
  holding.stopping ??= stopHolding(host, holding, deadlineMs);
  return checkReport(await holding.stopping, `'${holding.instance}' of '${host.options.name}'`, options);
}

async function stopHolding(host: Node, holding: Holding, deadlineMs: number): Promise<LeaveReport> {
  const { abandoned, holdings: running } = host;
  const { instance } = holding;
  // What former instances of this name have lost is the node's to report, and not this one's.
  let former = 0;
  if (running.get(instance) === holding) {
    former = abandoned.get(instance) ?? 0;
    abandoned.delete(instance);
    await deliver(host, [holding], deadlineMs);
    if (holding.supervisorRef !== null) await stopTree(holding.supervisorRef);
  }
  const undelivered = abandoned.get(instance) ?? 0;
  if (former > 0) abandoned.set(instance, former + undelivered);
  const report: LeaveReport = {
    undelivered,
    gossips: undelivered === 0 ? {} : { [instance]: undelivered },
    unknown: undelivered === 0 && holding.undelivered() === undefined ? [instance] : [],
  };
  warnOfUndelivered(host, report, `'${instance}' of '${host.options.name}'`);
  return report;
}

/** How long a node that leaves waits for its peers to fall silent, and for its goodbye, in milliseconds. */
const silenceMs = 1000;

/**
 * Has a node leave in good order, which `stop` of nact's cannot do: everything that was sent to its instances is done; it
 * waits until a peer is known to have each write of its own, up to the deadline, unless it was given nobody to find and knows
 * nobody; the membership says goodbye, and the tree stops. Called again, it is the same leaving.
 * @returns when the node has stopped: what no other node is known to have
 * @throws (rejects) GossipError OPTIONS_INVALID (`deadlineMs`), nothing done; UNDELIVERED if it is `required`, the node has
 *   stopped
 */
export async function leaveGrapevine(node: Ref<NodeMessage>, options: LeaveOptions = {}): Promise<LeaveReport> {
  const host = nodeOf(node);
  const deadlineMs = deadlineOf(options);
  host.leaving ??= goAway(host, node, deadlineMs);
  return checkReport(await host.leaving, `The node '${host.options.name}'`, options);
}

async function goAway(host: Node, node: Ref<NodeMessage>, deadlineMs: number): Promise<LeaveReport> {
  if (!isGone(node)) {
    await deliver(host, [...host.holdings.values()], deadlineMs);
    if (host.lines.size > 0 && host.holdings.size > 0) await quiet(host, { quietMs: 50, timeoutMs: silenceMs });
    const { trackerRef } = host;
    // What is lost is what nobody had while others could still be asked.
    const report = reportOf(host);
    if (trackerRef !== null)
      await ask(trackerRef, (replyTo: Ref<true>): TrackerMessage => ({ type: 'goodbye', replyTo }), {
        timeoutMs: silenceMs,
      }).catch(() => {});
    await stopTree(node);
    warnOfUndelivered(host, report, `The node '${host.options.name}'`);
    return report;
  }
  return reportOf(host);
}

function warnOfUndelivered({ options, arrival }: Node, report: LeaveReport, what: string): void {
  // Whoever was given nobody to find has lost nothing on the way.
  if (report.undelivered === 0 || arrival.state === 'alone') return;
  const error = undeliveredError(report, what);
  options.logger.warn({ err: error, node: options.name }, error.message);
}

/** Peers that all run another protocol are taken for all there are after so long, in milliseconds. */
const MISMATCH_MS = 500;

/**
 * Waits until a node has met another member, or may be alone: since it was given nobody to find, or all that it was given
 * leads to itself. Once so, it stays so.
 * @returns who is there then, without this node; nobody where it may be alone
 * @throws (rejects) GossipError OPTIONS_INVALID (`timeoutMs`); the error of the refusal (WRONG_CLUSTER, KEY_MISMATCH,
 *   KEY_REQUIRED, VERSION_UNSPEAKABLE, NAME_TAKEN, CERTIFICATE_REFUSED, PLAINTEXT_REFUSED) when every address that the node
 *   was given refuses it; JOIN_TIMEOUT with the last refusal or failure as its cause; ACTOR_GONE, and PORT_IN_USE and what
 *   else `ready` rejects with, when the node stops before. The node goes on trying in the other cases
 */
export async function joined(node: Ref<NodeMessage>, options: WaitingOptions = {}): Promise<readonly Member[]> {
  const host = nodeOf(node);
  const timeoutMs = timeoutOf(options);
  return waitFor<readonly Member[]>({
    timeoutMs,
    onChange: (look) => host.arrival.onChange(look),
    look: () => {
      if (isGone(node)) return { error: gone(`The node '${host.options.name}' has stopped before it had joined.`) };
      const { state } = host.arrival;
      if (state === 'met' || (state === 'alone' && host.hasListened)) return { value: host.members };
      return typeof state === 'string' ? null : { error: state };
    },
    late: () => lateJoin(host, timeoutMs),
  });
}

function lateJoin({ options, arrival }: Node, timeoutMs: number): GossipError {
  const { cause } = arrival;
  const why = cause === undefined ? 'no address that it was given has answered' : cause.message;
  return new GossipError(
    'JOIN_TIMEOUT',
    `'${options.name}' has met no other member within ${timeoutMs} ms: ${why}. It goes on trying; compare seeds or peers (--join, --peer) with where the others listen.`,
    { context: { node: options.name, timeoutMs }, ...(cause === undefined ? {} : { cause }) },
  );
}

/**
 * Waits until an instance has once held all that a peer had since its start: their hashes were equal, or a whole transfer has
 * come, and was judged and stored. A protocol that never compares (`rumor`) has met a peer of the instance; what was removed
 * before is not told any more. Where the node may be alone there is nothing to wait for. A peer that has itself just started
 * counts as any other.
 * @throws (rejects) GossipError OPTIONS_INVALID (`timeoutMs`); PROTOCOL_MISMATCH when all members run another protocol under
 *   the instance's name; what `joined` rejects with when the node is shut out; SYNC_TIMEOUT with the last refusal as its cause;
 *   ACTOR_GONE when the instance stops before. The instance goes on trying in the other cases
 */
export async function synced(gossip: Ref<GossipMessage>, options: WaitingOptions = {}): Promise<void> {
  await holdingOf(gossip).synced(timeoutOf(options));
}

async function untilSynced(holding: Holding, host: Node, timeoutMs: number): Promise<void> {
  let refusedMs = Infinity;
  await waitFor<true>({
    timeoutMs,
    onChange: (look) => host.arrival.onChange(look),
    look: () => {
      const { state } = host.arrival;
      if (holding.isSynced) return { value: true };
      if (isGone(holding.ref)) return { error: gone(`'${holding.instance}' of '${host.options.name}' has stopped.`) };
      if (state === 'alone' && host.hasListened) return { value: true };
      if (typeof state !== 'string') return { error: state };
      const error = isRefusedByAll(host, holding) ? holding.refusals.latest : undefined;
      // Who has met one member hears of the others a moment later.
      refusedMs = error === undefined ? Infinity : Math.min(refusedMs, time.monotonicMs());
      return error !== undefined && time.monotonicMs() >= refusedMs + MISMATCH_MS ? { error } : null;
    },
    late: () => lateSync(host, holding, timeoutMs),
  });
}

function isRefusedByAll({ members }: Node, { refusals, peers }: Holding): boolean {
  if (peers.size > 0 || members.length === 0) return false;
  const refusing = new Set(refusals.list.map(({ peer }) => peer));
  return members.every(({ name }) => refusing.has(name));
}

function lateSync({ options, arrival }: Node, { instance, peers, refusals }: Holding, timeoutMs: number): GossipError {
  const cause = refusals.latest ?? (arrival.state === 'met' ? undefined : arrival.cause);
  const why =
    cause?.message ??
    (peers.size > 0
      ? 'no exchange with a peer has come to its end'
      : arrival.state === 'met'
        ? `no member that it has met runs '${instance}'`
        : 'it has met no other member');
  return new GossipError(
    'SYNC_TIMEOUT',
    `'${instance}' of '${options.name}' does not hold what its peers hold after ${timeoutMs} ms: ${why}. It goes on trying.`,
    { context: { node: options.name, gossip: instance, timeoutMs }, ...(cause === undefined ? {} : { cause }) },
  );
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
