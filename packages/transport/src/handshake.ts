/**
 * The first frames of a connection: hello, hello, commit; with keys hello, hello, proof, proof, commit.
 *
 * The dialler speaks first. Without keys the acceptor answers only a hello that it accepts, and the dialler then commits
 * with an empty frame. With keys the acceptor answers every hello that fits, and what it answered a hello with it answers
 * a proof with: the dialler proves itself, and the acceptor proves itself only to a dialler that it accepts. So everything
 * that is judged by who is connected is judged of peers that are who they say. Whoever refuses closes with a code and a
 * sentence.
 *
 * Invariants
 *  1. With keys, `peer` is null and `judge` is not asked before the peer has proven itself: until then it changes nothing.
 *  2. Exactly one of `settled` and `ended` is called, once, and `ended` only after or with the end of the connection.
 *  3. A peer that says nothing is let go after `handshakeTimeoutMs`; the time in which we think does not count.
 *  4. What the peer sends while we think is taken afterwards, in order.
 *
 * Source: docs/wire.md; pairing.ts says who stays.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import { chooseVersion, decodeHello, encodeHello, type Hello, nonceBytes, sealingVersion } from '@grapevine/wire';
import { closeCodes, fullReason, type Reason, shortReason } from './close-codes.ts';
import type { Keyring } from './keyring.ts';
import type { Refused, Step } from './pairing.ts';
import { digestOf, type Exchange, proofBytes, prove } from './proof.ts';
import { Seal, sealKey } from './seal.ts';
import { SealedSocket } from './sealed-socket.ts';
import type { Peer } from './session.ts';
import type { ControlFrame, Socket, SocketEvents } from './socket.ts';

export interface HandshakeDetails {
  readonly ours: Hello;
  /** Null: nobody is asked for a proof, and who wants one is refused. */
  readonly keyring: Keyring | null;
  /** Whether a proof counts for this TLS connection alone. */
  readonly channelBinding: boolean;
  /** Whether a certificate must bear the name of its node. */
  readonly checkNames: boolean;
  /** The hello in which another handshake of this transport sent the nonce; null: none did. */
  readonly maker: (nonce: Uint8Array) => Uint8Array | null;
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
  /** The connection of a handshake that came to nothing is closed. Told once, after `ended`. */
  readonly gone: (handshake: Handshake) => void;
}

export interface HandshakeEnd {
  readonly by: 'us' | 'peer';
  readonly code: number;
  readonly reason: string;
  readonly cause?: unknown;
}

const commit = new Uint8Array(0);

export class Handshake implements SocketEvents {
  /** That which the session goes on with: sealed from the proofs on, where that is due. */
  socket: Socket;
  readonly dialled: boolean;
  /** Fresh for this handshake; null without keys. */
  readonly nonce: Uint8Array | null;
  /** Who the peer says it is, once it said so and has proven it. */
  peer: Peer | null = null;
  /** By which key it has; null before, and without keys. */
  provenBy: KeyObject | null = null;
  /** Whether what follows the proofs is sealed. */
  isSealed = false;

  readonly #details: HandshakeDetails;
  /** The hello of this side, as its bytes are on the wire. */
  readonly hello: Uint8Array;
  /** By which key we have proven ourselves: keys may be replaced before the other proof is there. */
  #provenWith: KeyObject | null = null;
  /** What the peer says, and what both must have heard of each other: while its proof is awaited. */
  #unproven: { readonly peer: Peer; readonly exchange: Exchange } | null = null;
  #cancelTimer: () => void;
  /** What came while a judgement is awaited; null while none is. */
  #early: Uint8Array[] | null = null;
  #giveUpJudgement: () => void = () => {};
  #over = false;

  constructor(socket: Socket, details: HandshakeDetails) {
    this.socket = socket;
    this.dialled = details.dialled;
    this.#details = details;
    this.nonce = details.keyring === null ? null : randomBytes(nonceBytes);
    this.hello = encodeHello(this.nonce === null ? details.ours : { ...details.ours, nonce: this.nonce });
    socket.events = this;
    this.#cancelTimer = this.#startTimer();
    if (details.dialled) socket.send(this.hello);
  }

  /** Where the peer is; null: unknown. */
  get address(): string | null {
    return this.socket.address;
  }

  /** Whether it was refused or has ended; its connection may still be closing. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Whether the peer dialled and has not yet proven itself, or, without keys, said who it is. */
  get isUnproven(): boolean {
    return !this.dialled && !this.#over && this.peer === null && this.provenBy === null;
  }

  /** Whether a dial of the peer waits for the peer's commit. */
  get isReservation(): boolean {
    return !this.dialled && this.peer !== null && !this.#over;
  }

  frame(frame: Uint8Array): void {
    if (this.#over) return;
    if (this.#early !== null) this.#early.push(frame);
    else if (this.#unproven !== null) this.#proof(frame, this.#unproven);
    else if (this.peer === null) this.#hello(frame);
    else if (frame.length === 0) this.#settleAt('commit', this.peer);
    else this.refuse(closeCodes.HELLO_MALFORMED, 'an empty frame must follow the hellos');
  }

  malformed(problem: string, code: number = closeCodes.HELLO_MALFORMED): void {
    this.refuse(code, problem);
  }

  /** Nodes ping nobody before the session, so no pong was asked for. Pings are bounded as bytes. */
  heard(what: ControlFrame): void {
    if (what === 'pong')
      this.refuse(closeCodes.HELLO_MALFORMED, 'a pong came before the session, and no ping had been sent');
  }

  drained(): void {}

  closed(code: number, reason: string, cause?: unknown): void {
    this.#end({ by: 'peer', code, reason, cause });
    this.#details.gone(this);
  }

  refuse(code: number, reason: Reason): void {
    if (this.#end({ by: 'us', code, reason: fullReason(reason) })) this.socket.close(code, shortReason(reason));
  }

  /** Ends what is left of the connection at once. */
  cut(): void {
    this.socket.terminate();
    this.#details.gone(this);
  }

  #hello(frame: Uint8Array): void {
    const decoded = decodeHello(frame);
    if ('problem' in decoded) {
      this.refuse(closeCodes.HELLO_MALFORMED, decoded.problem);
      return;
    }
    const { ours } = this.#details;
    const { cluster, versions, name, epoch, url, capabilities, nonce, maxFrameBytes } = decoded.hello;
    if (cluster !== ours.cluster) {
      this.refuse(
        closeCodes.WRONG_CLUSTER,
        (shown) =>
          `"${shown(name)}" is of cluster "${shown(cluster)}", "${shown(ours.name)}" of "${shown(ours.cluster)}": give both one cluster (--cluster)`,
      );
      return;
    }
    const version = chooseVersion(ours.versions, versions);
    if (version === null) {
      const range = ({ min, max }: Hello['versions']): string => `${min} to ${max}`;
      this.refuse(
        closeCodes.VERSION_UNSPEAKABLE,
        (shown) =>
          `"${shown(name)}" speaks protocol versions ${range(versions)}, "${shown(ours.name)}" ${range(ours.versions)}: upgrade the older`,
      );
      return;
    }
    const said = maxFrameBytes === undefined ? {} : { maxFrameBytes };
    const peer: Peer = { name, epoch, url, capabilities, version, ...said };
    if (this.nonce === null && nonce === undefined) this.#welcome(peer, this.hello);
    else if (this.nonce === null) this.#refuseKeyless(name, ours.name);
    else if (nonce === undefined) this.#refuseKeyless(ours.name, name);
    else this.#challenge(frame, peer, nonce);
  }

  #refuseKeyless(has: string, lacks: string): void {
    this.refuse(
      closeCodes.KEY_REQUIRED,
      (shown) => `"${shown(has)}" has keys, "${shown(lacks)}" has none: give both the same security.keys (--key-file)`,
    );
  }

  /** Both hellos are there and fit: the dialler proves itself first. */
  #challenge(theirs: Uint8Array, peer: Peer, nonce: Uint8Array): void {
    const { channelBinding, maker } = this.#details;
    if (Buffer.compare(nonce, this.nonce as Uint8Array) === 0) {
      this.refuse(
        closeCodes.KEY_MISMATCH,
        'our own nonce came back: the peer sends what it was sent, and proves nothing',
      );
      return;
    }
    const own = maker(nonce);
    if (own !== null && Buffer.compare(own, theirs) !== 0) {
      this.refuse(closeCodes.KEY_MISMATCH, 'a nonce of our own came back in the hello of another: it proves nothing');
      return;
    }
    if (this.dialled && own !== null) {
      this.refuse(closeCodes.SELF, 'the URL leads to the node itself');
      return;
    }
    const binding = channelBinding ? this.socket.binding() : 'none';
    if (binding === 'unavailable') {
      this.refuse(
        closeCodes.BINDING_UNAVAILABLE,
        'no channel binding can be had: let both speak TLS 1.3, or give channelBinding: false on all nodes',
      );
      return;
    }
    const [dialler, acceptor] = this.dialled ? [this.hello, theirs] : [theirs, this.hello];
    const exchange: Exchange = {
      dialler: digestOf(dialler),
      acceptor: digestOf(acceptor),
      version: peer.version,
      binding: binding === 'none' ? null : binding,
    };
    this.#unproven = { peer, exchange };
    this.socket.send(this.dialled ? this.#prove(exchange) : this.hello);
  }

  #prove(exchange: Exchange): Uint8Array {
    this.#provenWith = (this.#details.keyring as Keyring).own;
    return prove(this.#provenWith, this.dialled ? 'dialler' : 'acceptor', exchange);
  }

  #proof(frame: Uint8Array, { peer, exchange }: { readonly peer: Peer; readonly exchange: Exchange }): void {
    if (frame.length !== proofBytes) {
      this.refuse(
        closeCodes.HELLO_MALFORMED,
        `a proof of ${proofBytes} bytes must follow the hellos of nodes with keys`,
      );
      return;
    }
    const keyring = this.#details.keyring as Keyring;
    const key = keyring.recognise(this.dialled ? 'acceptor' : 'dialler', exchange, frame);
    if (key === null) {
      const proxy = exchange.binding === null ? '' : ', or a proxy ends TLS (channelBinding)';
      this.refuse(
        closeCodes.KEY_MISMATCH,
        (shown) =>
          `"${shown(peer.name)}" proves no key that "${shown(this.#details.ours.name)}" lists: compare security.keys (--key-file)${proxy}`,
      );
      return;
    }
    this.#unproven = null;
    this.provenBy = key;
    if (this.dialled) {
      this.#seal(exchange, key);
      this.#welcome(peer);
    } else {
      const proof = this.#prove(exchange);
      this.#welcome(peer, proof, () => this.#seal(exchange, key));
    }
  }

  /** Both have proven themselves: what follows goes sealed, unless TLS does that for this very connection. */
  #seal(exchange: Exchange, provenBy: KeyObject): void {
    if (exchange.version < sealingVersion || exchange.binding !== null) return;
    const [ours, theirs] = this.dialled ? (['dialler', 'acceptor'] as const) : (['acceptor', 'dialler'] as const);
    this.isSealed = true;
    this.socket = new SealedSocket(this.socket, {
      out: new Seal(sealKey(this.#provenWith as KeyObject, ours, exchange)),
      in: new Seal(sealKey(provenBy, theirs, exchange)),
      mayRefuse: !this.dialled,
    });
  }

  /**
   * The peer is who it says, as far as anybody asks here.
   * @param answer what an acceptor lets the dialler go on with
   * @param answered called once it is sent
   */
  #welcome(peer: Peer, answer: Uint8Array = commit, answered: () => void = () => {}): void {
    const problem = this.#details.checkNames ? this.#problemOfName(peer.name) : null;
    if (problem !== null) this.refuse(closeCodes.CERTIFICATE_REFUSED, problem);
    else if (this.dialled) this.#settleAt('welcome', peer);
    else
      this.#judge('hello', peer, () => {
        this.socket.send(answer);
        answered();
      });
  }

  #problemOfName(name: string): string | null {
    const certificate = this.socket.certificate();
    if (certificate === null)
      return 'the peer has shown no certificate, and checkNames is on: give it security.tls.cert and key';
    if (certificate.bears(name)) return null;
    return `no name of the certificate (${certificate.printedNames.join(', ') || 'none'}) is that of the node, "${name}", which checkNames wants`;
  }

  #settleAt(step: 'welcome' | 'commit', peer: Peer): void {
    this.#judge(step, peer, () => {
      this.#over = true;
      this.#cancelTimer();
      this.socket.admit();
      if (step === 'welcome') this.socket.send(commit);
      this.#details.settled(this, peer);
    });
  }

  /** Goes on or refuses as soon as the judgement is there. */
  #judge(step: Step, peer: Peer, goOn: () => void): void {
    let decided = false;
    const { socket } = this;
    const giveUp = this.#details.judge(step, peer, (refused) => {
      decided = true;
      const early = this.#stopWaiting();
      this.peer = peer;
      if (refused !== null) {
        this.refuse(refused.code, refused.reason);
        return;
      }
      goOn();
      // Once it is settled the events are those of the session; once frames are sealed, of what opens them.
      for (const frame of early) socket.events.frame(frame);
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
