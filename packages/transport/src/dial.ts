/**
 * One dial: from the URL to the end of the hellos, which it tells in the words of `DialEnd`.
 *
 * Invariants
 *  1. `ended` is called once, and never from inside `startDial`; not at all once the dial was given up.
 *  2. A connection that is not there within `handshakeTimeoutMs` is given up.
 *
 * Source: docs/wire.md; handshake.ts has the hellos.
 */
import { type DialEnd, GossipError, isGossipError, type UrlSource } from '@grapevine/core';
import { closeCodes, closeInfo } from './close-codes.ts';
import type { Handshake, HandshakeEnd } from './handshake.ts';
import type { ResolvedOptions } from './options.ts';
import type { Identity } from './pairing.ts';
import type { Target } from './redial.ts';
import type { Dial, Medium, Socket } from './socket.ts';

/** How a dial ended, for whoever knows the URL. */
export type DialResult = Omit<DialEnd, 'url'>;

export interface DialTask {
  /** As the caller wrote it. */
  readonly url: string;
  readonly canonicalUrl: string;
  readonly source: UrlSource;
  /** What is dialled again and again; null for a single dial. */
  readonly target: Target | null;
  readonly ended: (result: DialResult) => void;
}

export interface DialDetails extends Pick<ResolvedOptions, 'handshakeTimeoutMs' | 'setTimer'> {
  readonly medium: Medium;
  /** Makes the handshake on the connection; what becomes of that is told to the task by its maker. */
  readonly shake: (socket: Socket) => Handshake;
}

/** @returns a function that gives up */
export function startDial({ url, canonicalUrl, source, ended }: DialTask, details: DialDetails): () => void {
  const { medium, handshakeTimeoutMs, setTimer, shake } = details;
  let handshake: Handshake | null = null;
  const dial: Dial = {
    opened: (socket) => {
      cancelTimer();
      handshake = shake(socket);
    },
    failed: (cause) => {
      cancelTimer();
      if (isGossipError(cause)) ended({ outcome: 'failed', peer: null, error: cause });
      else ended(unreachable(url, `${url} cannot be reached: ${sentenceOf(cause)}`, cause));
    },
  };
  const giveUp = medium.dial(canonicalUrl, dial, source);
  const cancelTimer = setTimer(handshakeTimeoutMs, () => {
    giveUp();
    ended(unreachable(url, `${url} did not answer within ${handshakeTimeoutMs} ms`));
  });
  return () => {
    cancelTimer();
    if (handshake === null) giveUp();
    else handshake.refuse(closeCodes.GOING_AWAY, 'no longer wanted');
  };
}

/** How a dial ended whose handshake came to nothing; null where we gave it up ourselves. */
export function resultOf(
  { by, code, reason, cause }: HandshakeEnd,
  {
    url,
    self,
    peer,
    proves,
  }: {
    readonly url: string;
    readonly self: Identity;
    readonly peer: Identity | null;
    /** Whether peers prove themselves: then a stranger is not believed what he says of others. */
    readonly proves: boolean;
  },
): DialResult | null {
  const isStranger = proves && by === 'peer' && peer === null;
  if (isStranger && (code === closeCodes.SELF || code === closeCodes.DUPLICATE))
    return unreachable(url, `${url} closed the connection before its proof: ${reason}`);
  switch (code) {
    case closeCodes.SELF:
      return { outcome: 'self', peer: identityOf(self), error: leadsToSelf(url) };
    case closeCodes.DUPLICATE:
      return { outcome: 'duplicate', peer: identityOf(peer) };
    case closeCodes.CONNECTION_LOST:
      break;
    case closeCodes.GOING_AWAY:
      if (by === 'us') return null;
      break;
    default: {
      const { error } = closeInfo(code, reason, { url, peer: peer?.name ?? null }, cause);
      if (error === undefined) break;
      // Who says nothing has refused nothing.
      const outcome = code === closeCodes.HELLO_TIMEOUT ? 'failed' : 'refused';
      return { outcome, peer: identityOf(peer), error };
    }
  }
  return unreachable(url, `${url} closed the connection before its hello: ${reason || 'no reason given'}`, cause);
}

/** Before a proof it is a guess: a stranger could return what this node says. So it is tried again like what cannot be reached. */
function leadsToSelf(url: string): GossipError {
  const message = `${url} leads to this node itself, or to a stranger that returns what this node says: do not list it as a seed or a peer of this node`;
  return new GossipError('PEER_UNREACHABLE', message, { context: { url } });
}

/** Without what else a `Peer` tells. */
function identityOf(peer: Identity | null): Identity | null {
  return peer === null ? null : { name: peer.name, epoch: peer.epoch };
}

function unreachable(url: string, message: string, cause?: unknown): DialResult {
  const details = cause === undefined ? { context: { url } } : { context: { url }, cause };
  return { outcome: 'failed', peer: null, error: new GossipError('PEER_UNREACHABLE', message, details) };
}

function sentenceOf(cause: unknown): string {
  const { message, code } = (cause ?? {}) as { readonly message?: string; readonly code?: string };
  // An attempt on several addresses fails with an AggregateError, whose message is empty.
  return message || code || String(cause);
}
