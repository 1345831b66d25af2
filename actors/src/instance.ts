/**
 * The instance: its mailbox goes into the protocol's machine, and the machine's effects go out.
 *
 * One turn takes all that waits. Writes are stored one by one; of what arrived a share of each connection goes into the
 * machine as one batch, and own writes as another; then subscribers are told; what the machine sends goes out in the same
 * turn. What has arrived beyond comes in the next turn.
 *
 * Invariants
 *  1. A crash loses at most the message that it met. Writes not yet pushed and changes not yet told are in the replica,
 *     and come first in the next incarnation.
 *  2. Nothing that belongs to a former incarnation reaches the machine: no timer, no verdict.
 *  3. What a closed connection brought is dropped once the peer has another.
 *
 * Source: docs/architecture.md.
 */

import {
  type Effects,
  GossipError,
  isGossipError,
  type Machine,
  type Message,
  type Offer,
  type Received,
  shownId,
  type Update,
} from '@grapevine/core';
import { contentId, encodeValue } from '@grapevine/wire';

import { CATCH_UP_MS } from './audience.ts';
import { type DeadLetter, lastVersion, type Version } from './events.ts';
import type { Holding } from './holding.ts';
import type { InstanceMessage, Judged, Tick, ViewMessage } from './instance-messages.ts';
import { Judgement } from './judgement.ts';
import { tell } from './kernel/actor.ts';
import type { ActorSpec, Behaviour, Self } from './kernel/behaviour.ts';
import type { Cancel } from './kernel/clock.ts';
import { type Add, type AddMany, checkId, type Refresh, type Remove, type WhenSynced, type Write } from './messages.ts';
import { notSent } from './outbox.ts';
import { OwnWrite } from './own-write.ts';
import type { Inbound, PeerArrived, PeerGone } from './party.ts';
import { Repeats } from './repeats.ts';
import { time } from './kernel/time.ts';

/** Own writes that fill a frame. */
const FRAME_WRITES = 2000;

/** How long dead letters are gathered before they are logged, at first and from then on, in milliseconds. */
const FIRST_LETTERS_MS = 50;
const LETTERS_MS = 5000;

/** How many own writes may wait for the handler. */
const MOST_WRITES = 65_536;

export function instanceSpec(holding: Holding): ActorSpec<InstanceMessage> {
  return { name: 'instance', start: (self) => new Instance(holding, self) };
}

interface Timer {
  readonly tick: Tick;
  readonly cancel: Cancel;
}

type WriteOptions = Pick<Add | Remove | Refresh | AddMany, 'type' | 'expiresIn'>;

class Instance implements Behaviour<InstanceMessage>, Effects {
  readonly #holding: Holding;
  readonly #self: Self<InstanceMessage>;
  readonly #machine: Machine;
  readonly #timers = new Map<string, Timer>();
  readonly #judgesWrites: boolean;
  #isCatchingUp = false;
  #isGoingOn = false;
  readonly #said = new Repeats();
  /** Dead letters that were not logged yet. */
  #letters: DeadLetter[] = [];
  #isLoggingLetters = false;
  /** What the machine said last. A new one does not know that a former one was synced. */
  #isSynced = false;

  constructor(holding: Holding, self: Self<InstanceMessage>) {
    this.#holding = holding;
    this.#self = self;
    const { replica, random, options, node } = holding;
    holding.judgement?.offer.stored.release();
    holding.judgement = null;
    replica.withdrawn = null;
    holding.subscriptions.onBehind = (): void => {
      const fields = { gossip: options.name, node };
      self.logger.warn(fields, 'a subscriber is behind: it is told nothing more until it has room, and then all again');
    };
    const judged = options.handler !== null;
    this.#judgesWrites = judged && options.judgeWrites;
    this.#machine = options.protocol.create({ self: node, replica, effects: this, random, judged });
    const machine = this.#machine;
    holding.undelivered = (): number | undefined => {
      const undelivered = machine.undelivered?.(holding.clock());
      if (undelivered === undefined) return undefined;
      // What still waits for the handler here is in no store yet.
      return holding.writes.reduce((sum, { writes }) => sum + writes.length, undelivered);
    };
    const nowMs = holding.clock();
    const { epochs, epoch, names, beyond } = holding.view;
    replica.membersChanged(epochs, epoch, nowMs);
    this.#machine.start(nowMs);
    this.#machine.viewChanged?.(names, beyond, nowMs);
    this.#machine.peersChanged([...holding.peers.values()], nowMs);
    if (options.announce && !holding.announced) {
      holding.announced = true;
      this.#announce(node, 'initialized');
    }
    // A crash may have cost the word that they were judged.
    this.#writeJudged();
    this.drained(false);
  }

  receive(message: InstanceMessage): void {
    // Whatever a user dispatches, nothing at all included.
    switch (message?.type) {
      case 'inbound':
        return this.#take(message);
      case 'add':
        if (this.#judgesWrites) return this.#askHandler(message);
        return message.replyTo === undefined ? this.#add(message) : this.#write([message], message);
      case 'add-many':
        if (!Array.isArray(message.writes)) return this.#strange();
        return this.#judgesWrites ? this.#askHandler(message) : this.#write(message.writes, message);
      case 'remove':
      case 'refresh':
        return this.#judgesWrites ? this.#askHandler(message) : this.#write([message], message);
      case 'write-judged':
        return this.#writeJudged();
      case 'subscribe':
        return this.#holding.subscriptions.add(message.subscriber, message.prefix);
      case 'unsubscribe':
        return this.#holding.subscriptions.delete(message.subscriber);
      case 'when-synced':
        return this.#answerSynced(message);
      case 'peer-arrived':
        return this.#arrived(message);
      case 'peer-gone':
        if (!this.#holding.arrivals.end(message) && this.#forget([message])) this.#peersChanged();
        return;
      case 'view':
        return this.#see(message);
      case 'leave-epoch':
        return this.#holding.replica.leaveEpoch(this.#holding.clock());
      case 'tick':
        return this.#tick(message);
      case 'collect':
        return this.#collect();
      case 'judged':
        return this.#judged(message);
      case 'log-letters':
        return this.#logLetters();
      case 'announce':
        return this.#announce(message.about, message.action);
      case 'catch-up':
        this.#isCatchingUp = false;
        return this.#holding.subscriptions.catchUp();
      case 'go-on':
        // The step follows, as after any message.
        this.#isGoingOn = false;
        return;
      case 'confirm':
        this.#step();
        this.#machine.confirm?.(this.#holding.clock());
        return;
      case 'flush':
        if (message.whenJudged && this.#holding.writes.length > 0) return void this.#holding.flushes.push(message);
        do this.#step();
        while (!this.#holding.arrivals.isEmpty);
        // The ticks set timers anew, which is not to be met again here.
        for (const tick of Array.from(this.#timers.values(), (timer) => timer.tick)) this.#tick(tick);
        tell(message.replyTo, true);
        return;
      default:
        message satisfies never;
        this.#strange();
    }
  }

  #answerSynced({ timeoutMs, replyTo }: WhenSynced): void {
    if (typeof replyTo !== 'object') return this.#strange();
    this.#holding.synced(timeoutMs).then(
      () => tell(replyTo, { ok: true }),
      (error: GossipError) => tell(replyTo, { ok: false, error }),
    );
  }

  #strange(): void {
    this.#self.logger.warn({ actor: this.#self.path }, 'an instance was sent something that is no message to it');
  }

  drained(more: boolean): void {
    // Half a frame is not worth a step while the other half waits in the mailbox.
    const { arrivals, pressure, subscriptions, replica, handlerState } = this.#holding;
    if (more && arrivals.isEmpty && replica.freshCount < FRAME_WRITES) return;
    this.#step();
    subscriptions.tellChanges();
    this.#noteSynced();
    if (subscriptions.behind > 0 && !this.#isCatchingUp) {
      this.#isCatchingUp = true;
      this.#self.schedule(CATCH_UP_MS, { type: 'catch-up' });
    }
    pressure.backlog = this.#machine.backlog;
    pressure.backlogBytes = this.#machine.backlogBytes ?? 0;
    pressure.isStuck = handlerState === 'gone' || handlerState === 'late';
    pressure.relieve();
    if (arrivals.isEmpty || this.#isGoingOn) return;
    this.#isGoingOn = true;
    tell(this.#self.ref, { type: 'go-on' });
  }

  #noteSynced(): void {
    const { peers, arrival } = this.#holding;
    const isSynced = this.#machine.isSynced ?? (this.#isSynced || peers.size > 0);
    if (isSynced === this.#isSynced) return;
    this.#isSynced = isSynced;
    this.#holding.isSynced = isSynced;
    arrival.changed();
  }

  // Into the machine

  /** Gives the machine what was written, and of what has arrived a share of each connection. */
  #step(): void {
    const { arrivals, replica, clock } = this.#holding;
    const ended: PeerGone[] = [];
    let isPeerGone = false;
    if (!arrivals.isEmpty) {
      const batch = this.#shed(arrivals.take(ended));
      this.#holding.received += batch.length;
      try {
        this.#machine.receive(batch, clock());
      } finally {
        // Also where the machine crashes on it: the next one starts from the peers that are there.
        isPeerGone = this.#forget(ended);
      }
    }
    if (replica.hasFresh) this.#machine.add(replica.takeFresh(), clock());
    if (isPeerGone) this.#peersChanged();
  }

  /** Drops values where too much waits for a handler that does not answer; anti-entropy brings them again. */
  #shed(batch: Received[]): Received[] {
    const { pressure, node, instance, handlerState } = this.#holding;
    if (!pressure.isStuck || !pressure.isFull) return batch;
    const taken = batch.filter(({ message: { type } }) => type !== 'updates' && type !== 'chunk');
    this.#holding.shed += batch.length - taken.length;
    if (taken.length < batch.length && this.#said.isNew('shed', time.monotonicMs()))
      this.#self.logger.warn(
        { gossip: instance, node, handler: handlerState, backlog: pressure.backlog },
        'the handler does not answer, and too much waits for it: what arrives now is dropped, until it answers',
      );
    return taken;
  }

  #take(inbound: Inbound): void {
    const { arrivals, pressure, peers } = this.#holding;
    if (peers.get(inbound.from)?.session !== inbound.session) return pressure.taken(inbound.bytes, inbound.line);
    arrivals.add(inbound);
  }

  #arrived({ name, session, epochOfUs, dialsOnly, maxFrameBytes }: PeerArrived): void {
    const { arrivals, peers } = this.#holding;
    const former = peers.get(name);
    const isOver = former !== undefined && (former.session !== session || arrivals.isOver(session));
    if (isOver) arrivals.drop(former.session);
    // The peer has closed its instance and opened it again on one connection: nothing of before holds, though the number is
    // the same.
    if (isOver && former.session === session && peers.delete(name)) this.#peersChanged();
    peers.set(name, { name, session, epochOfUs, dialsOnly, maxFrameBytes });
    this.#peersChanged();
  }

  /** Forgets who of them has not come back meanwhile. @returns whether anybody was forgotten */
  #forget(gone: readonly PeerGone[]): boolean {
    const { peers } = this.#holding;
    let isAny = false;
    for (const { name, session } of gone) if (peers.get(name)?.session === session) isAny = peers.delete(name);
    return isAny;
  }

  #peersChanged(): void {
    this.#machine.peersChanged([...this.#holding.peers.values()], this.#holding.clock());
  }

  #tick(tick: Tick): void {
    const timer = this.#timers.get(tick.timer);
    if (timer?.tick !== tick) return;
    timer.cancel();
    this.#timers.delete(tick.timer);
    this.#step();
    this.#machine.tick(tick.timer, this.#holding.clock());
  }

  #see(view: ViewMessage): void {
    const { replica, clock } = this.#holding;
    this.#holding.view = view;
    replica.membersChanged(view.epochs, view.epoch, clock());
    this.#machine.viewChanged?.(view.names, view.beyond, clock());
  }

  #collect(): void {
    this.#step();
    const { context } = this.#holding.replica;
    const origins = [...context.origins()];
    this.#machine.collect(this.#holding.clock());
    for (const { origin } of origins) if (context.find(origin) === undefined) this.#holding.outbox.forget(origin);
  }

  #judged({ judgement }: Judged): void {
    const { outcome, offer } = judgement;
    if (judgement !== this.#holding.judgement || outcome === null) return;
    this.#step();
    this.#holding.judgement = null;
    this.#machine.judged(offer.number, outcome.verdict, this.#holding.clock());
    if (outcome.letter !== null) this.#gather(offer.updates[0] as Update, outcome.letter);
  }

  // Dead letters: told at once, and logged a few at a time

  #gather(update: Update, letter: DeadLetter): void {
    const { errors, subscriptions } = this.#holding;
    this.#holding.deadLetters += 1;
    errors.set(update, letter.error);
    if (this.#letters.length === 0 && !this.#isLoggingLetters) {
      this.#isLoggingLetters = true;
      this.#self.schedule(FIRST_LETTERS_MS, { type: 'log-letters' });
    }
    this.#letters.push(letter);
    subscriptions.tellDeadLetters([letter]);
  }

  #logLetters(): void {
    const letters = this.#letters;
    this.#isLoggingLetters = letters.length > 0;
    if (letters.length === 0) return;
    this.#letters = [];
    this.#self.schedule(LETTERS_MS, { type: 'log-letters' });
    this.#self.logger.error(
      {
        err: letters[0]?.error,
        gossip: this.#holding.instance,
        ids: letters.slice(0, 10).map(({ id }) => shownId(id)),
        letters: letters.length,
      },
      'the handler failed on updates; they are hidden here, as dead letters',
    );
  }

  // Own writes

  /** As `#write`, for what comes by the hundred thousand: one write that nobody waits for. */
  #add({ id, bytes, expiresIn }: Add): void {
    const holding = this.#holding;
    try {
      checkId(id);
      if (typeof bytes !== 'string') throw notEncoded(id);
      const nowMs = holding.clock();
      holding.replica.add(id, bytes, expiresIn === undefined ? undefined : nowMs + expiresIn, nowMs);
      holding.written += 1;
    } catch (error) {
      this.#refused(error);
    }
  }

  #write(writes: readonly Write[], message: Add | AddMany | Remove | Refresh): void {
    const { replyTo } = message;
    try {
      const versions: Version[] = [];
      this.#store(writes, message, replyTo === undefined ? null : versions);
      if (replyTo !== undefined) tell(replyTo, { ok: true, versions });
    } catch (error) {
      this.#answerRefused(error, message);
    }
  }

  #answerRefused(error: unknown, { replyTo }: Add | AddMany | Remove | Refresh): void {
    if (!isGossipError(error)) throw error;
    if (replyTo !== undefined) tell(replyTo, { ok: false, error });
    else this.#refused(error);
  }

  /** Puts a write behind those that wait for the handler. */
  #askHandler(message: Add | AddMany | Remove | Refresh): void {
    const { writes, instance } = this.#holding;
    const write = new OwnWrite(message);
    try {
      for (const { id, bytes } of write.writes) checkWrite(id, bytes, message.type);
      if (writes.length >= MOST_WRITES)
        throw new GossipError(
          'MAILBOX_FULL',
          `${writes.length} writes wait for the handler of '${instance}': it is slower than what is written. This write was dropped.`,
          { context: { gossip: instance, waiting: writes.length } },
        );
    } catch (error) {
      return this.#answerRefused(error, message);
    }
    writes.push(write);
    this.#writeJudged();
  }

  /** Stores those that wait no more, in their order. */
  #writeJudged(): void {
    const { writes, flushes, handlerRef } = this.#holding;
    while (writes.length > 0) {
      const { message, outcome } = writes[0] as OwnWrite;
      if (outcome === null) break;
      writes.shift();
      if ('error' in outcome) this.#answerRefused(outcome.error, message);
      else this.#write(outcome.writes, message);
    }
    if (writes.length === 0) for (const flush of flushes.splice(0)) tell(this.#self.ref, flush);
    else if (handlerRef !== null) tell(handlerRef, { type: 'judge' });
  }

  #refused(error: unknown): void {
    if (!isGossipError(error)) throw error;
    this.#self.logger.warn({ err: error, gossip: this.#holding.options.name }, 'a write was refused');
  }

  /**
   * All or none.
   * @param versions of them are appended here, where somebody asks for them
   * @throws GossipError ID_INVALID, VALUE_NOT_SERIALISABLE, UPDATE_TOO_LARGE, STORE_FULL; state unchanged
   */
  #store(writes: readonly Write[], { type, expiresIn }: WriteOptions, versions: Version[] | null): void {
    const { replica } = this.#holding;
    for (const { id, bytes } of writes) {
      checkWrite(id, bytes, type);
      if (writes.length > 1) this.#checkSize(id, bytes);
    }
    const nowMs = this.#holding.clock();
    if (writes.length > 1 && type !== 'remove') replica.checkRoom(writes, nowMs);
    const expiresAt = expiresIn === undefined ? undefined : nowMs + expiresIn;
    for (const { id, bytes } of writes) {
      if (type === 'refresh') this.#refresh(id, expiresAt as number, nowMs);
      else replica.add(id, bytes, expiresAt, nowMs);
      versions?.push(lastVersion(replica.fresh));
    }
    this.#holding.written += writes.length;
  }

  /** @throws GossipError ID_UNKNOWN, STORE_FULL; state unchanged */
  #refresh(id: string, expiresAt: number, nowMs: number): void {
    const { replica, instance } = this.#holding;
    if (replica.refresh(id, expiresAt, nowMs) !== undefined) return;
    const shown = id.slice(0, 80);
    throw new GossipError(
      'ID_UNKNOWN',
      `'${shown}' has no value in '${instance}' whose life could be renewed: it was not written, is gone, or the handler hides it. Write it with add().`,
      { context: { id: shown, gossip: instance } },
    );
  }

  /** The replica checks this too, but for one write at a time. @throws GossipError UPDATE_TOO_LARGE */
  #checkSize(id: string, bytes: string | undefined): void {
    const { maxUpdateBytes } = this.#holding.options;
    const updateBytes = id.length + (bytes?.length ?? 0);
    if (updateBytes <= maxUpdateBytes) return;
    throw new GossipError(
      'UPDATE_TOO_LARGE',
      `The update of '${id.slice(0, 80)}' takes ${updateBytes} bytes, more than maxUpdateBytes (${maxUpdateBytes}); nothing of its batch was written.`,
      { context: { id: id.slice(0, 80), bytes: updateBytes, maxUpdateBytes } },
    );
  }

  /** As in the original, the id follows from the content, so that n nodes that saw it announce it once. */
  #announce(about: string, action: 'nodeup' | 'nodedown' | 'initialized'): void {
    const value = { node: about, action };
    const id = contentId(value);
    if (this.#holding.replica.get(id) !== undefined) return;
    try {
      const options: WriteOptions = { type: 'add', expiresIn: this.#holding.options.announceTtl };
      this.#store([{ id, bytes: encodeValue(value) }], options, null);
    } catch (error) {
      // A store that is full announces nothing.
      this.#refused(error);
    }
  }

  // Effects

  send(to: string | readonly string[], message: Message): void {
    try {
      this.#holding.outbox.send(to, message);
    } catch (raised) {
      const error = notSent(raised);
      // What cannot be cut would be tried, and told of, in every cycle.
      const what = `${error.code} ${String(error.context['peer'])}`;
      if (error.code !== 'FRAME_TOO_LARGE' || this.#said.isNew(what, time.monotonicMs())) this.report(error);
    }
  }

  offer(offer: Offer): void {
    const { options, handlerRef, portions } = this.#holding;
    this.#holding.judgement = new Judgement({ offer, portions, retries: options.handlerRetries });
    // Not there yet while the whole instance starts: the handler starts after it, and looks for the judgement.
    if (handlerRef !== null) tell(handlerRef, { type: 'judge' });
  }

  setTimer(timer: string, delayMs: number): void {
    this.#timers.get(timer)?.cancel();
    const tick: Tick = { type: 'tick', timer };
    this.#timers.set(timer, { tick, cancel: this.#self.schedule(delayMs, tick) });
  }

  report(error: GossipError): void {
    this.#self.logger.warn({ err: error, gossip: this.#holding.options.name, node: this.#holding.node }, error.message);
  }
}

/** @throws GossipError ID_INVALID, VALUE_NOT_SERIALISABLE */
function checkWrite(id: unknown, bytes: unknown, type: WriteOptions['type']): void {
  checkId(id);
  if (type !== 'remove' && type !== 'refresh' && typeof bytes !== 'string') throw notEncoded(id);
}

function notEncoded(id: string): GossipError {
  return new GossipError('VALUE_NOT_SERIALISABLE', `The value of '${id}' is not encoded: make the message by add().`);
}
