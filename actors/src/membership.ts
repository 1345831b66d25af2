/**
 * The tracker: runs the membership module, and publishes who is there.
 *
 * Invariants
 *  1. Subscribers and announcing instances hear of every difference between two views, once.
 *  2. A new incarnation is told of the open connections before it publishes anything, so that a crash here is no news.
 *
 * Source: docs/options.md.
 */

import type { GossipError, Member, MembershipEffects, MembershipMachine, Message } from '@grapevine/core';

import type { NodeEvent } from './events.ts';
import { tell } from './kernel/actor.ts';
import type { ActorSpec, Behaviour, Self } from './kernel/behaviour.ts';
import type { Cancel } from './kernel/clock.ts';
import type { Ref } from './kernel/nact.ts';
import type { TrackerMessage } from './membership-messages.ts';
import type { Node } from './node.ts';
import { notSent, Outbox } from './outbox.ts';
import { membershipParty, type Party } from './party.ts';
import { Pressure } from './pressure.ts';

const membershipChannel = 0;

/** The membership as a party: its messages go over a channel of their own. */
export function trackerParty(node: Node): Party {
  const { membership } = node.options;
  return {
    channel: membershipChannel,
    instance: membershipParty,
    protocol: membership.name,
    pressure: new Pressure(),
    get ref() {
      return node.trackerRef as Ref<TrackerMessage>;
    },
    accepts: (message) => message.type === 'custom' && membership.accepts(message.body),
    newestEpochOf: () => 0,
  };
}

export function trackerSpec(node: Node): ActorSpec<TrackerMessage> {
  return { name: 'membership', start: (self) => new Tracker(node, self) };
}

interface Timer {
  readonly tick: TrackerMessage;
  readonly cancel: Cancel;
}

class Tracker implements Behaviour<TrackerMessage>, MembershipEffects {
  readonly #node: Node;
  readonly #self: Self<TrackerMessage>;
  readonly #outbox: Outbox;
  readonly #timers = new Map<string, Timer>();
  /** `null` until the transport is up. */
  #machine: MembershipMachine | null = null;
  #view: readonly Member[] | null = null;

  constructor(node: Node, self: Self<TrackerMessage>) {
    this.#node = node;
    this.#self = self;
    const { encoder, lines } = node;
    this.#outbox = new Outbox({ channel: membershipChannel, encoder, lines }, (peer) => lines.get(peer)?.session.id);
    if (node.hasListened) this.#begin();
  }

  receive(message: TrackerMessage): void {
    if (message.type === 'inbound') this.#node.parties.get(membershipParty)?.pressure.taken(message.frameBytes);
    if (message.type === 'listening') return this.#begin();
    // What opened or was said before the module began is found in the lines as it begins, or is said again.
    if (this.#machine === null) {
      if (message.type === 'goodbye') tell(message.replyTo, true);
      return;
    }
    this.#hear(this.#machine, message);
  }

  #begin(): void {
    if (this.#machine !== null) return;
    const { options, epoch, url, lines } = this.#node;
    const { name, membership, random, clock } = options;
    const machine = membership.create({ self: { name, epoch, url }, effects: this, random });
    this.#machine = machine;
    machine.start(clock());
    for (const { session } of lines.values()) {
      const { peer } = session;
      machine.connected({ name: peer.name, epoch: peer.epoch, url: peer.url }, clock());
    }
    // Who was there before a crash and is no longer is missing in the view now, or in one to come.
    this.#publish();
  }

  #hear(machine: MembershipMachine, message: Exclude<TrackerMessage, { readonly type: 'listening' }>): void {
    const nowMs = this.#node.options.clock();
    switch (message.type) {
      case 'connected':
        return machine.connected(message.member, nowMs);
      case 'disconnected':
        return machine.disconnected(message.name, nowMs, message.released);
      case 'inbound':
        for (const { from, message: said } of message.batch)
          if (said.type === 'custom') machine.receive(from, said.body, nowMs);
        return;
      case 'tick':
        if (this.#timers.get(message.timer)?.tick !== message) return;
        this.#timers.delete(message.timer);
        return machine.tick(message.timer, nowMs);
      case 'goodbye':
        machine.leave(nowMs);
        tell(message.replyTo, true);
        return;
      case 'peer-arrived':
      case 'peer-gone':
        // It goes by connections.
        return;
      default:
        message satisfies never;
    }
  }

  drained(): void {
    this.#node.parties.get(membershipParty)?.pressure.relieve();
    this.#publish();
  }

  // Views

  #publish(): void {
    if (this.#view === null) return;
    const now = this.#view;
    this.#view = null;
    const before = this.#node.members;
    this.#node.members = now;
    for (const member of before) if (!includes(now, member)) this.#tell('nodedown', member);
    for (const member of now) if (!includes(before, member)) this.#tell('nodeup', member);
  }

  #tell(type: 'nodeup' | 'nodedown', member: Member): void {
    const { subscribers, holdings, options } = this.#node;
    const event: NodeEvent = { type, node: options.name, member };
    for (const subscriber of subscribers) if (!tell(subscriber, event)) subscribers.delete(subscriber);
    for (const holding of holdings.values())
      if (holding.options.announce) tell(holding.ref, { type: 'announce', about: member.name, action: type });
    this.#self.logger.info({ node: options.name, member: member.name, url: member.url }, type);
  }

  // Effects

  dial(urls: readonly string[]): void {
    const { transportRef } = this.#node;
    if (transportRef !== null) tell(transportRef, { type: 'dial', urls });
  }

  view(members: readonly Member[]): void {
    this.#view = members;
  }

  send(to: string, body: unknown): void {
    const message: Message = { type: 'custom', body };
    try {
      this.#outbox.send(to, message);
    } catch (error) {
      this.report(notSent(error));
    }
  }

  setTimer(timer: string, delayMs: number): void {
    this.#timers.get(timer)?.cancel();
    const tick: TrackerMessage = { type: 'tick', timer };
    this.#timers.set(timer, { tick, cancel: this.#self.schedule(delayMs, tick) });
  }

  report(error: GossipError): void {
    this.#self.logger.warn({ err: error, node: this.#node.options.name }, error.message);
  }
}

function includes(members: readonly Member[], { name, epoch }: Member): boolean {
  return members.some((member) => member.name === name && member.epoch === epoch);
}
