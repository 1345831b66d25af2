/**
 * The first frames of a connection: hello, hello, commit.
 *
 * The dialler speaks first; the acceptor answers only a hello that it accepts; the dialler then commits with an empty
 * frame. Whoever refuses closes with a code and a sentence.
 *
 * Invariants
 *  1. Exactly one of `settled` and `ended` is called, once, and `ended` only after or with the end of the connection.
 *  2. A peer that says nothing is let go after `handshakeTimeoutMs`; the time in which we think does not count.
 *  3. What the peer sends while we think is taken afterwards, in order.
 *
 * Source: docs/wire.md; pairing.ts says who stays.
 */
import { chooseVersion, decodeHello, encodeHello, type Hello } from '@grapevine/wire';
import { clipReason, closeCodes } from './close-codes.ts';
import type { Refused, Step } from './pairing.ts';
import type { Peer } from './session.ts';
import type { Socket, SocketEvents } from './socket.ts';

export interface HandshakeDetails {
  readonly ours: Hello;
  readonly dialled: boolean;
  readonly timeoutMs: number;
  readonly setTimer: (delayMs: number, run: () => void) => () => void;
  /**
   * Whether the connection may go on with this peer: `decide` is told once, at once or later; null is yes.
   * @returns a function that gives up
   */
  readonly judge: (step: Step, peer: Peer, decide: (refused: Refused | null) => void) => () => void;
  readonly settled: (handshake: Handshake, peer: Peer) => void;
  readonly ended: (handshake: Handshake, end: HandshakeEnd) => void;
}

export interface HandshakeEnd {
  readonly by: 'us' | 'peer';
  readonly code: number;
  readonly reason: string;
  readonly cause?: unknown;
}

const commit = new Uint8Array(0);

export class Handshake implements SocketEvents {
  readonly socket: Socket;
  readonly dialled: boolean;
  /** Who the peer says it is, once it said so. */
  peer: Peer | null = null;

  readonly #details: HandshakeDetails;
  #cancelTimer: () => void;
  /** What came while a judgement is awaited; null while none is. */
  #early: Uint8Array[] | null = null;
  #giveUpJudgement: () => void = () => {};
  #over = false;

  constructor(socket: Socket, details: HandshakeDetails) {
    this.socket = socket;
    this.dialled = details.dialled;
    this.#details = details;
    socket.events = this;
    this.#cancelTimer = this.#startTimer();
    if (details.dialled) socket.send(encodeHello(details.ours));
  }

  /** Whether a dial of the peer waits for the peer's commit. */
  get isReservation(): boolean {
    return !this.dialled && this.peer !== null && !this.#over;
  }

  frame(frame: Uint8Array): void {
    if (this.#over) return;
    if (this.#early !== null) this.#early.push(frame);
    else if (this.peer === null) this.#hello(frame);
    else if (frame.length === 0) this.#settleAt('commit', this.peer);
    else this.refuse(closeCodes.HELLO_MALFORMED, 'an empty frame must follow the hellos');
  }

  malformed(problem: string): void {
    this.refuse(closeCodes.HELLO_MALFORMED, problem);
  }

  heard(): void {}

  drained(): void {}

  closed(code: number, reason: string, cause?: unknown): void {
    this.#end({ by: 'peer', code, reason, cause });
  }

  refuse(code: number, reason: string): void {
    const sentence = clipReason(reason);
    if (this.#end({ by: 'us', code, reason: sentence })) this.socket.close(code, sentence);
  }

  #hello(frame: Uint8Array): void {
    const decoded = decodeHello(frame);
    if ('problem' in decoded) {
      this.refuse(closeCodes.HELLO_MALFORMED, decoded.problem);
      return;
    }
    const { ours, dialled } = this.#details;
    const { cluster, versions, name, epoch, url, capabilities } = decoded.hello;
    if (cluster !== ours.cluster) {
      this.refuse(
        closeCodes.WRONG_CLUSTER,
        `"${cluster}" meets "${ours.cluster}": give both nodes one cluster label, or different peers`,
      );
      return;
    }
    const version = chooseVersion(ours.versions, versions);
    if (version === null) {
      const range = ({ min, max }: Hello['versions']): string => `${min} to ${max}`;
      const reason = `protocol versions ${range(versions)} meet ${range(ours.versions)}: upgrade the older node`;
      this.refuse(closeCodes.VERSION_UNSPEAKABLE, reason);
      return;
    }
    const peer: Peer = { name, epoch, url, capabilities, version };
    if (dialled) {
      this.#settleAt('welcome', peer);
      return;
    }
    this.#judge('hello', peer, () => this.socket.send(encodeHello(ours)));
  }

  #settleAt(step: 'welcome' | 'commit', peer: Peer): void {
    this.#judge(step, peer, () => {
      this.#over = true;
      this.#cancelTimer();
      if (step === 'welcome') this.socket.send(commit);
      this.#details.settled(this, peer);
    });
  }

  /** Goes on or refuses as soon as the judgement is there. */
  #judge(step: Step, peer: Peer, goOn: () => void): void {
    let decided = false;
    const giveUp = this.#details.judge(step, peer, (refused) => {
      decided = true;
      const early = this.#stopWaiting();
      this.peer = peer;
      if (refused !== null) {
        this.refuse(refused.code, refused.reason);
        return;
      }
      goOn();
      // Once it is settled the events are those of the session.
      for (const frame of early) this.socket.events.frame(frame);
    });
    if (!decided) this.#wait(giveUp);
  }

  /** Reads no more than what is under way already, so that a peer that talks on takes no memory. */
  #wait(giveUp: () => void): void {
    this.#early = [];
    this.#giveUpJudgement = giveUp;
    this.#cancelTimer();
    this.socket.pause();
  }

  /** @returns what came meanwhile */
  #stopWaiting(): readonly Uint8Array[] {
    const early = this.#early;
    if (early === null) return [];
    this.#early = null;
    this.#cancelTimer = this.#startTimer();
    this.socket.resume();
    return early;
  }

  #startTimer(): () => void {
    const { timeoutMs, setTimer } = this.#details;
    return setTimer(timeoutMs, () =>
      this.refuse(closeCodes.HELLO_TIMEOUT, `the hello was not complete within ${timeoutMs} ms`),
    );
  }

  #end(end: HandshakeEnd): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#giveUpJudgement();
    this.#stopWaiting();
    this.#cancelTimer();
    this.#details.ended(this, end);
    return true;
  }
}
