/**
 * The link: one connection's way in. It decodes and checks what comes, and brings it to the parties that it is for.
 *
 * Invariants
 *  1. A party hears of a peer only after the peer has declared a channel of the same name and protocol on this very
 *     connection, and before anything that the peer says on it.
 *  2. What one turn brings a party is one message.
 *  3. What waits here is bounded, and what a peer may bring in a second: beyond either, its connection is not read.
 *  4. What is malformed, or is none of the protocol's messages, costs the peer this connection and nobody anything else.
 *
 * Source: docs/architecture.md and docs/wire.md.
 */

import { GossipError, isGossipError, type Message, printable, type Received } from '@grapevine/core';
import { closeCodes, observerCapability } from '@grapevine/transport';
import { type ChannelDeclaration, Decoder, encodeChannel, encodeRefuseChannel, type Incoming } from '@grapevine/wire';

import type { Allowance } from './allowance.ts';
import { tell } from './kernel/actor.ts';
import type { ActorSpec, Behaviour, Self, StopReason } from './kernel/behaviour.ts';
import type { LinkMessage } from './link-messages.ts';
import type { Line } from './line.ts';
import type { Node } from './node.ts';
import { membershipParty, type Party } from './party.ts';
import { weightOf, workOf, workOfControl } from './weight.ts';
import { time } from './kernel/time.ts';

export function linkSpec(node: Node, line: Line): ActorSpec<LinkMessage> {
  const { id, peer } = line.session;
  return {
    // A successor may open before its predecessor is gone.
    name: `link ${peer.name} ${id}`,
    // A connection is not made again by starting its link again: it is closed, and dialled anew.
    restart: 'temporary',
    start: (self) => new Link(node, line, self),
  };
}

/** What has come for a party in this turn. */
interface Gathered {
  batch: Received[];
  bytes: number;
  works: number[];
}

/**
 * What it counts, in updates, when a peer speaks to a party once more on one connection: the party then takes its peer for gone and for
 * new, tells it what it tells a new one, and looks through all its peers.
 */
const AGAIN_OF_WORK = 1024;
/** What may wait in the mailbox before the connection is held, and how much a frame counts beside its bytes. */
const WAITING_BYTES = 4 * 1024 * 1024;
const FRAME_BYTES = 128;

class Link implements Behaviour<LinkMessage> {
  readonly #node: Node;
  readonly #line: Line;
  readonly #self: Self<LinkMessage>;
  readonly #decoder: Decoder;
  /** What the peer has declared, by its channel numbers. */
  readonly #declared = new Map<number, ChannelDeclaration>();
  /** Instances of which the log has been told that the peer runs another protocol, and channels that it refuses. */
  readonly #said = new Set<string | number>();
  /** Whom this peer can speak to: our parties by the peer's channel numbers. */
  readonly #parties = new Map<number, Party>();
  /** Those that it has spoken to. */
  readonly #met = new WeakSet<Party>();
  readonly #gathered = new Map<Party, Gathered>();
  readonly #allowance: Allowance;
  #closed = false;
  #waitingBytes = 0;
  /** What the frames in work count against the allowance. */
  #work = 0;
  #isAwaiting = false;

  constructor(node: Node, line: Line, self: Self<LinkMessage>) {
    this.#node = node;
    this.#line = line;
    this.#self = self;
    this.#decoder = new Decoder(() => node.mostOrigins);
    this.#allowance = node.allowances.begun(this.#peer, time.monotonicMs());
    for (const party of node.parties.values()) this.#declare(party);
    line.session.onFrames = (frames) => {
      let bytes = 0;
      for (const frame of frames) bytes += frame.length + FRAME_BYTES;
      this.#waitingBytes += bytes;
      tell(self.ref, { type: 'frames', frames, bytes });
      if (this.#waitingBytes >= WAITING_BYTES) line.hold(this);
    };
    line.session.onControls = (count) => tell(self.ref, { type: 'controls', count });
  }

  get #peer(): string {
    return this.#line.peer;
  }

  receive(message: LinkMessage): void {
    switch (message.type) {
      case 'frames':
        this.#waitingBytes -= message.bytes;
        for (const frame of message.frames) {
          if (this.#closed) return;
          this.#read(frame);
        }
        if (this.#waitingBytes < WAITING_BYTES / 2) this.#line.release(this);
        this.#spend(message.bytes - FRAME_BYTES * message.frames.length);
        return;
      case 'controls':
        this.#work += message.count;
        this.#spend(0);
        return;
      case 'allowed':
        this.#isAwaiting = false;
        this.#spend(0);
        return;
      case 'closed': {
        const { code, reason, error } = message.info;
        const fields = {
          node: this.#node.options.name,
          peer: this.#peer,
          code,
          ...(error === undefined ? {} : { err: error }),
        };
        if (error === undefined) this.#self.logger.info(fields, `connection closed: ${reason}`);
        else this.#complain(error, fields, `connection lost: ${reason || error.message}`);
        this.#deliver();
        this.#self.exit();
        return;
      }
      case 'party-spawned':
        this.#declare(message.party);
        for (const declaration of this.#declared.values())
          if (declaration.instance === message.party.instance) this.#match(declaration);
        return;
      case 'party-stopped':
        this.#withdraw(message.party);
        return;
      default:
        message satisfies never;
    }
  }

  drained(): void {
    this.#deliver();
  }

  /** Counts against the allowance what was just read, and holds the connection where that is used up. */
  #spend(bytes: number): void {
    const waitMs = this.#allowance.take(this.#work, bytes, time.monotonicMs());
    this.#work = 0;
    if (waitMs === 0) {
      if (!this.#isAwaiting) this.#line.release(this.#allowance);
      return;
    }
    if (this.#isAwaiting) return;
    this.#isAwaiting = true;
    this.#line.throttled += 1;
    this.#line.hold(this.#allowance);
    this.#self.schedule(waitMs, { type: 'allowed' });
  }

  stopped(reason: StopReason): void {
    // A transport that stops sends first what waits; one whose link crashed has nobody left to read what comes.
    if (reason === 'crashed') this.#line.session.close(closeCodes.NORMAL, 'the link crashed; dial again');
    for (const party of this.#parties.values()) this.#tellGone(party);
    this.#node.allowances.ended(this.#peer, time.monotonicMs());
    this.#node.links.delete(this.#line);
  }

  // Channels

  #declare(party: Party): void {
    const { channel, instance, protocol } = party;
    const newestEpochOfYou = party.newestEpochOf(this.#peer);
    this.#line.sendControl(encodeChannel({ channel, instance, protocol, newestEpochOfYou }));
  }

  #match(declaration: ChannelDeclaration): void {
    const { channel, instance, protocol, newestEpochOfYou } = declaration;
    const party = this.#node.parties.get(instance);
    // A peer may declare a channel as often as it likes: only the first time counts.
    if (party === undefined || this.#parties.get(channel) === party) return;
    if (party.protocol !== protocol) {
      const what = this.#mismatch(party, protocol);
      const cure =
        instance === membershipParty
          ? 'They do not tell each other who is there, so each may take the other for gone or never know it. Give both the same membership: seeds (--join) is swim, peers is static.'
          : 'They do not gossip with each other in it. Give both the same protocol.';
      const error = new GossipError('PROTOCOL_MISMATCH', `${what}. ${cure}`, {
        context: { peer: this.#peer, instance, ours: party.protocol, theirs: protocol },
      });
      if (this.#isNew(instance)) {
        const { peer, dialled, address } = this.#line.session;
        const isMember = !peer.capabilities.includes(observerCapability);
        if (isMember) party.refused?.({ error, by: 'us', peer: peer.name, url: dialled ? peer.url : null, address });
        const level = isMember && this.#isNewOfPeer(`${error.code} ${instance}`) ? 'error' : 'debug';
        this.#self.logger[level]({ err: error, peer: this.#peer }, error.message);
      }
      this.#line.sendControl(encodeRefuseChannel(channel, `${what}.`));
      return;
    }
    this.#parties.set(channel, party);
    if (this.#met.has(party)) this.#work += AGAIN_OF_WORK;
    this.#met.add(party);
    const { id, peer, maxFrameBytes } = this.#line.session;
    const dialsOnly = peer.url === null;
    const arrived = { name: this.#peer, session: id, epochOfUs: newestEpochOfYou, dialsOnly, maxFrameBytes };
    tell(party.ref, { type: 'peer-arrived', ...arrived });
  }

  /** @param theirs the protocol that the peer runs under the party's name */
  #mismatch({ instance, protocol }: Party, theirs: string): string {
    const what = instance === membershipParty ? 'The membership' : `'${instance}'`;
    return `${what} runs '${protocol}' on '${this.#node.options.name}' and '${printable(theirs)}' on '${this.#peer}'`;
  }

  #withdraw(party: Party): void {
    for (const [channel, other] of this.#parties) {
      if (other !== party) continue;
      this.#parties.delete(channel);
      this.#line.sendControl(encodeRefuseChannel(channel, `'${party.instance}' was stopped here.`));
    }
  }

  /** The peer does not want what comes on this channel of ours. */
  #refused(channel: number, reason: string): void {
    // A peer may declare thousands of channels: they are not looked through for each number that it makes up.
    if (![...this.#node.parties.values()].some((party) => party.channel === channel)) return;
    const refused = [...this.#parties].filter(([, party]) => party.channel === channel);
    if (refused.length === 0) return;
    this.#deliver();
    for (const [theirs, party] of refused) {
      this.#parties.delete(theirs);
      this.#tellGone(party);
    }
    if (!this.#isNew(channel)) return;
    const fields = { node: this.#node.options.name, peer: this.#peer, channel };
    const level = this.#isNewOfPeer(`refuses ${channel}`) ? 'warn' : 'debug';
    this.#self.logger[level](fields, `'${this.#peer}' refuses a channel: ${reason}`);
  }

  /** Whether the log has not been told of it on this connection; it is from now on. */
  #isNew(what: string | number): boolean {
    const isNew = !this.#said.has(what);
    this.#said.add(what);
    return isNew;
  }

  #tellGone(party: Party): void {
    tell(party.ref, { type: 'peer-gone', name: this.#peer, session: this.#line.session.id });
  }

  // Frames

  #read(frame: Uint8Array): void {
    try {
      const incoming = this.#decoder.decode(frame);
      // Counted for whomever it is, before that is looked for: a message for nobody was work as well.
      const { length } = frame;
      const work = incoming?.type === 'gossip' ? workOf(incoming.message, length) : workOfControl(length);
      this.#work += work;
      if (incoming !== null) this.#take(incoming, length, work);
    } catch (error) {
      if (!isGossipError(error) || error.fault !== 'peer') throw error;
      const fields = { node: this.#node.options.name, peer: this.#peer, err: error };
      this.#complain(error, fields, `'${this.#peer}' sent what cannot be taken: ${error.message}`);
      this.#closed = true;
      this.#line.session.close(closeCodes.FRAME_MALFORMED, error.message);
    }
  }

  /** As a warning; the same again, as the peer comes again, is for who looks closely. */
  #complain({ code }: GossipError, fields: object, text: string): void {
    this.#self.logger[this.#isNewOfPeer(code) ? 'warn' : 'debug'](fields, text);
  }

  /** Whether it is to be said aloud of this peer, on whatever connection. */
  #isNewOfPeer(what: string): boolean {
    return this.#node.saidOfPeers.isNew(`${what} ${this.#peer}`, time.monotonicMs());
  }

  /** @throws GossipError FRAME_MALFORMED */
  #take(incoming: Incoming, frameBytes: number, work: number): void {
    switch (incoming.type) {
      case 'channel':
        this.#declared.set(incoming.channel, incoming);
        return this.#match(incoming);
      case 'refuse-channel':
        return this.#refused(incoming.channel, incoming.reason);
      case 'gossip': {
        const { channel, message } = incoming;
        const party = this.#parties.get(channel);
        if (party !== undefined) {
          if (!party.accepts(message)) throw malformed(whyNot(party, message));
          this.#gather(party, { from: this.#peer, message }, weightOf(message, frameBytes), work);
        } else if (!this.#declared.has(channel))
          throw malformed(`a message on channel ${channel}, which was not declared`);
        // Else nobody here speaks with the peer's party, or no longer, and it has not heard so yet.
        return;
      }
      default:
        incoming satisfies never;
    }
  }

  #gather(party: Party, received: Received, bytes: number, work: number): void {
    const gathered = this.#gathered.get(party);
    if (gathered === undefined) {
      this.#gathered.set(party, { batch: [received], bytes, works: [work] });
    } else {
      gathered.batch.push(received);
      gathered.bytes += bytes;
      gathered.works.push(work);
    }
  }

  #deliver(): void {
    if (this.#gathered.size === 0) return;
    const line = this.#line;
    for (const [party, { batch, bytes, works }] of this.#gathered)
      if (tell(party.ref, { type: 'inbound', from: this.#peer, session: line.session.id, batch, bytes, works, line }))
        party.pressure.arrived(bytes, line);
    this.#gathered.clear();
  }
}

/** Why a party takes no such message: its kind is not one of its protocol's, or its body breaks a rule of it. */
function whyNot(party: Party, message: Message): string {
  const { protocol } = party;
  const problem = party.problem?.(message) ?? null;
  if (problem !== null) return `a message '${message.type}' of '${protocol}' whose body ${problem}`;
  return `a message '${message.type}', which '${protocol}' does not take`;
}

function malformed(what: string): GossipError {
  return new GossipError('FRAME_MALFORMED', `The peer sent ${what}.`);
}
