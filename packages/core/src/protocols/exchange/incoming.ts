/**
 * The transfer to this replica: invited, taken frame by frame, and its claim taken up.
 *
 * Invariants
 *  1. Never more than one invitation is open: a replica takes one transfer at a time.
 *  2. No peer is turned down for ever because others always come just before it.
 *  3. The claim takes effect when all frames have been judged and stored, and not at all if one is missing.
 *
 * Source: docs/algorithm.md, rule 3.
 */

import { Batch } from '../../batch.ts';
import { Context, type Dots } from '../../context.ts';
import { addTerm, LANES, sameSum } from '../../hash.ts';
import type { Arrival, Intake } from '../../intake.ts';
import type { Chunk, End, Withheld } from '../../messages.ts';
import type { Environment } from '../../protocol.ts';
import { dotFrames } from '../dots.ts';
import { horizonOf } from './held.ts';
import { PutOff } from './put-off.ts';
import { refuseWithheld, sayRefused } from './refusing.ts';
import type { Sweep } from './sweep.ts';

/** Where more was not taken in a transfer, as `Context.room` counts it, its claim is not taken up. */
const UNTAKEN_ROOM = 65_536;
/** A peer that was turned down so often in a row, each time for the transfer of another, is let in before others. */
const TURNED_DOWN = 8;

export interface IncomingOptions {
  /** Milliseconds without progress after which an invitation is withdrawn. */
  readonly patienceMs: number;
  /** Whether a node of this name can be spoken to now. @default nobody can */
  readonly inView?: (name: string) => boolean;
}

/** The transfer to us: at most one. */
interface Incoming {
  readonly peer: string;
  readonly invitation: number;
  /** Index of the frame that must come next. */
  next: number;
  progressMs: number;
  /** What came and was not taken: no claim of this transfer takes it up. */
  readonly untaken: Context;
  /** Nothing was left to its sender for lack of room. */
  isWhole: boolean;
}

export class IncomingTransfer {
  readonly #environment: Environment;
  readonly #intake: Intake;
  readonly #options: IncomingOptions;
  readonly #sweep: Sweep;
  /** Who was told on this connection that something of theirs is refused, or may have been. */
  readonly #toldRefused = new Set<string>();
  /** What claims say is over, while what it may be over for is held back here. */
  readonly #putOff: PutOff;
  readonly #completed: (nowMs: number) => void;
  #incoming: Incoming | null = null;
  /** How often in a row each peer was turned down. */
  readonly #turnedDown = new Map<string, number>();
  #invitations: number;

  /**
   * @param sweep begun where a transfer has left a difference in what is live
   * @param completed told when all that a peer had has come, and was judged and stored
   */
  constructor(
    environment: Environment,
    intake: Intake,
    options: IncomingOptions,
    sweep: Sweep,
    completed: (nowMs: number) => void = () => {},
  ) {
    this.#environment = environment;
    this.#intake = intake;
    this.#options = options;
    this.#sweep = sweep;
    this.#completed = completed;
    this.#putOff = new PutOff(environment.replica.maxDriftMs);
    // A restarted instance must not take frames for its former self as its own.
    this.#invitations = Math.floor(environment.random() * 0x40000000);
  }

  get isReceiving(): boolean {
    return this.#incoming !== null;
  }

  /**
   * Dots have left the context that a peer was told with an invitation: it leaves out their updates, and its claim would have them
   * without their values.
   */
  revoke(): void {
    this.#incoming = null;
  }

  /** Withdraws an invitation that nothing has come of. */
  withdraw(nowMs: number): void {
    if (!this.#isOpen(nowMs)) this.#incoming = null;
  }

  /** The peer is gone, or came back on another connection. */
  reset(peer: string): void {
    this.#toldRefused.delete(peer);
    this.#turnedDown.delete(peer);
    if (this.#incoming?.peer === peer) this.#incoming = null;
  }

  /**
   * A connection is new to this machine. Where something is refused, a former machine may have refused it on this very
   * connection: its peer must hear of room.
   */
  arrived(peer: string): void {
    if (!this.#environment.replica.refused.isEmpty) this.#toldRefused.add(peer);
  }

  /** Ends the transfer: the store that it speaks of is no more. Nor is anything refused for it. */
  abandon(): void {
    this.#incoming = null;
    this.#putOff.clear();
    if (this.#toldRefused.size > 0) this.#environment.effects.send([...this.#toldRefused], { type: 'room', dots: [] });
    this.#toldRefused.clear();
  }

  /**
   * Tells those whose updates were refused for lack of room what there is room for now. To be called when there may be
   * more: it costs nothing where nothing was refused.
   */
  makeRoom(nowMs: number): void {
    const { replica, effects } = this.#environment;
    const lifted = replica.lift(nowMs);
    if (lifted === null || this.#toldRefused.size === 0) return;
    for (const dots of lifted.all ? [[]] : dotFrames(lifted.dots))
      effects.send([...this.#toldRefused], { type: 'room', dots });
  }

  /** Tells a peer what of its updates is refused here, by whatever way they came. */
  tellRefused(to: string, { tooLarge, turnedAway }: Arrival): void {
    if (tooLarge.length === 0 && turnedAway.length === 0) return;
    this.#toldRefused.add(to);
    sayRefused(this.#environment.effects, to, tooLarge, turnedAway);
  }

  /** A peer has withheld an update that is too large: it is refused as if it had come. @returns its dot, if it is refused */
  onWithheld(from: string, message: Withheld): Dots {
    const refused = refuseWithheld(this.#environment, this.#intake, message);
    if (refused.length === 0) return refused;
    if (this.#incoming?.peer === from) this.#incoming.untaken.addAll(refused);
    this.#toldRefused.add(from);
    sayRefused(this.#environment.effects, from, refused, []);
    return refused;
  }

  /** Opens an invitation, if none is open and it is nobody else's turn. @returns its number, or 0 */
  invite(peer: string, nowMs: number): number {
    const isOpen = this.#isOpen(nowMs);
    if (isOpen || this.#isTurnOfOther(peer)) {
      if (this.#incoming?.peer !== peer) this.#turnedDown.set(peer, (this.#turnedDown.get(peer) ?? 0) + 1);
      return 0;
    }
    this.#turnedDown.delete(peer);
    const invitation = ++this.#invitations;
    this.#incoming = { peer, invitation, next: 0, progressMs: nowMs, untaken: new Context(), isWhole: true };
    return invitation;
  }

  /**
   * Whether another peer was turned down so often that this one has to wait: where all speak in the same rhythm, the other comes after
   * it every time. Of those that come before it, as many wait as it was turned down; then it may have gone.
   */
  #isTurnOfOther(peer: string): boolean {
    if ((this.#turnedDown.get(peer) ?? 0) >= TURNED_DOWN) return false;
    for (const [other, times] of this.#turnedDown) {
      if (other === peer || times < TURNED_DOWN) continue;
      if (times + 1 < 2 * TURNED_DOWN) this.#turnedDown.set(other, times + 1);
      else this.#turnedDown.delete(other);
      return true;
    }
    return false;
  }

  /** Whether a transfer to us is going on. While we judge what came, it is we who are slow. */
  #isOpen(nowMs: number): boolean {
    const open = this.#incoming;
    if (open === null) return false;
    // A clock that was set back must not keep it open until it has caught up.
    const isRecent = nowMs >= open.progressMs && nowMs - open.progressMs <= this.#options.patienceMs;
    return this.#intake.backlog > 0 || isRecent;
  }

  onChunk(from: string, message: Chunk, nowMs: number): void {
    const { effects } = this.#environment;
    const { invitation, index } = message;
    const isExpected = this.#advance(from, invitation, index, nowMs);
    // News is news even out of a transfer that we gave up; but only an expected frame is acknowledged.
    const updates = Batch.of(message.updates);
    this.#intake.receive(updates, nowMs, (arrival, storedMs) => {
      const { left } = arrival;
      this.tellRefused(from, arrival);
      if (!isExpected || this.#incoming?.invitation !== invitation) return;
      this.#incoming.progressMs = storedMs;
      // Refused, held back, or known only as under judgement and turned away since: whatever came and is not here.
      this.#incoming.untaken.addAll(this.#environment.replica.context.lacking(updates.dots()));
      if (left.length > 0 || this.#incoming.untaken.room > UNTAKEN_ROOM) this.#incoming.isWhole = false;
      effects.send(from, { type: 'ack', invitation, index });
    });
  }

  /** Whether this frame is the next of the open transfer. One that is not breaks the transfer off. */
  #advance(from: string, invitation: number, index: number, nowMs: number): boolean {
    const open = this.#incoming;
    if (open === null || open.peer !== from || open.invitation !== invitation) return false;
    if (open.next !== index) {
      this.#incoming = null;
      return false;
    }
    open.next++;
    open.progressMs = nowMs;
    return true;
  }

  onEnd(from: string, message: End, nowMs: number): void {
    if (!this.#advance(from, message.invitation, message.index, nowMs)) return;
    this.#intake.settled(nowMs, (settledMs) => {
      if (this.#incoming?.invitation !== message.invitation) return;
      const { untaken, isWhole } = this.#incoming;
      const claim = untaken.lacking(message.claim);
      this.#incoming = null;
      const { replica } = this.#environment;
      if (!isWhole || !this.#isEqualElsewhere(message)) return;
      // A claim that leaves out what is young, or what its sender cannot vouch for, speaks of less than the sender has.
      // An older node's sum says nothing here: it is taken at its word.
      const isOlder = message.context.length < LANES;
      const isAll =
        isOlder || message.buckets !== 'all' || sameSum(replica.context.sumOf(message.claim), message.context);
      const due = replica.holdsBack(message.claim) ? this.#due(claim, settledMs) : claim;
      if (due !== null) {
        // What was refused once and is claimed now without having come is held by the sender no more.
        replica.refused.removeAll(due);
        replica.claim(due, this.#intake.pending, settledMs, this.#options.inView);
      }
      // Not before its claim is taken up: whoever joins takes up all the origins of it.
      if (isAll) this.#completed(settledMs);
      if (due === null) return;
      if (this.#sweep.isLiveAs(message) || !this.#sweep.isDue(message, settledMs)) return;
      this.#sweep.begin(from, Math.max(message.horizonMs, horizonOf(replica, settledMs)));
    });
  }

  /** What is to be taken of a claim that speaks of what is held back here; `null`: what is lacked of it has to wait. */
  #due(claim: Dots, nowMs: number): Dots | null {
    const { replica } = this.#environment;
    const lacked = replica.notHeldBack(replica.context.lacking(claim));
    const due = this.#putOff.due(lacked, nowMs);
    return due.length === 0 && lacked.length > 0 ? null : due;
  }

  /**
   * Whether contexts are equal in the buckets that an end does not speak of. If they are not, the peer may have dropped
   * what it claims for something there that we lack: its claim waits for an exchange that speaks of that, too.
   */
  #isEqualElsewhere({ buckets, claim, context }: End): boolean {
    if (buckets === 'all' || buckets.length === 0) return true;
    const ours = this.#environment.replica.context;
    const { bucketSums } = ours;
    const sum = ours.sum.slice();
    for (const bucket of buckets) addTerm(sum, 0, bucketSums.subarray(LANES * bucket, LANES * (bucket + 1)), -1);
    addTerm(sum, 0, ours.sumOf(claim), 1);
    return sameSum(sum, context);
  }
}
