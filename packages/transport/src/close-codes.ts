/**
 * Why a connection ends: one table of close codes, and which of them are errors.
 *
 * Invariants
 *  1. Both ends read a close code by this table, so both report the same `GossipError`.
 *  2. A reason is a sentence of at most 123 bytes, the most that a close frame carries.
 *
 * Source: RFC 6455 section 7.4; 4000 to 4999 are for private use. 40xx is no error, 44xx is one.
 */
import { type ErrorCode, GossipError } from '@grapevine/core';

/** The WebSocket close codes that we send or understand. */
export const closeCodes = {
  /** The owner of the session asked for it. */
  NORMAL: 1000,
  /** The node leaves, its queue flushed. */
  GOING_AWAY: 1001,
  /** Broken framing, found by the WebSocket layer. */
  PROTOCOL_ERROR: 1002,
  /** No close frame came. Never sent. */
  CONNECTION_LOST: 1006,
  /** A frame in more pieces than a node takes, found by the WebSocket layer. */
  TOO_MANY_PIECES: 1008,
  FRAME_TOO_LARGE: 1009,
  /** The pair has another connection. */
  DUPLICATE: 4000,
  /** The node dialled itself. */
  SELF: 4001,
  /** The node of this name started anew, with a higher epoch, and is connected in place of this one. */
  REPLACED: 4002,
  /** One side needs the connection no more, and has sent what waited. */
  RELEASED: 4003,
  /** The key by which the peer proved itself is no longer listed: it may come again with another. */
  KEY_WITHDRAWN: 4004,
  FRAME_MALFORMED: 4400,
  HELLO_MALFORMED: 4401,
  WRONG_CLUSTER: 4403,
  /** The proof fits no key that is listed. */
  KEY_MISMATCH: 4406,
  /** One has keys, the other none. */
  KEY_REQUIRED: 4407,
  HELLO_TIMEOUT: 4408,
  NAME_TAKEN: 4409,
  SILENT: 4410,
  /** A frame does not open: somebody on the way has changed, added, repeated, left out or moved one. */
  SEAL_BROKEN: 4411,
  /** The certificate does not bear the name of the node, or there is none. */
  CERTIFICATE_REFUSED: 4412,
  /** Keys want a channel binding, and the TLS connection gives none. */
  BINDING_UNAVAILABLE: 4413,
  VERSION_UNSPEAKABLE: 4426,
  TOO_SLOW: 4429,
  TOO_MANY_CONNECTIONS: 4430,
} as const;

/** What told a connection's end. */
export interface CloseInfo {
  /** WebSocket close code, see `closeCodes`. */
  readonly code: number;
  /** A sentence; empty when the peer gave none. */
  readonly reason: string;
  /** Present only when the end was an error. */
  readonly error?: GossipError;
}

const errorOfCode: ReadonlyMap<number, ErrorCode> = new Map([
  [closeCodes.PROTOCOL_ERROR, 'FRAME_MALFORMED'],
  [closeCodes.CONNECTION_LOST, 'CONNECTION_LOST'],
  [closeCodes.TOO_MANY_PIECES, 'FRAME_MALFORMED'],
  [closeCodes.FRAME_TOO_LARGE, 'FRAME_TOO_LARGE'],
  [closeCodes.FRAME_MALFORMED, 'FRAME_MALFORMED'],
  [closeCodes.HELLO_MALFORMED, 'HELLO_MALFORMED'],
  [closeCodes.WRONG_CLUSTER, 'WRONG_CLUSTER'],
  [closeCodes.KEY_MISMATCH, 'KEY_MISMATCH'],
  [closeCodes.KEY_REQUIRED, 'KEY_REQUIRED'],
  [closeCodes.CERTIFICATE_REFUSED, 'CERTIFICATE_REFUSED'],
  [closeCodes.BINDING_UNAVAILABLE, 'BINDING_UNAVAILABLE'],
  [closeCodes.HELLO_TIMEOUT, 'HELLO_TIMEOUT'],
  [closeCodes.NAME_TAKEN, 'NAME_TAKEN'],
  [closeCodes.SILENT, 'SILENT'],
  [closeCodes.SEAL_BROKEN, 'SEAL_BROKEN'],
  [closeCodes.VERSION_UNSPEAKABLE, 'VERSION_UNSPEAKABLE'],
  [closeCodes.TOO_SLOW, 'TOO_SLOW'],
  [closeCodes.TOO_MANY_CONNECTIONS, 'TOO_MANY_CONNECTIONS'],
]);

/** Reads a close code and its reason by the table. */
export function closeInfo(
  code: number,
  reason: string,
  context: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): CloseInfo {
  const errorCode = errorOfCode.get(code);
  if (errorCode === undefined) return { code, reason };
  const message = reason === '' ? `the connection was closed with code ${code}` : reason;
  const details = cause === undefined ? { context } : { context, cause };
  return { code, reason, error: new GossipError(errorCode, message, details) };
}

/**
 * Why a connection ends: a sentence, or one that is made with the labels of nodes in it, which may be too long for a close
 * frame.
 */
export type Reason = string | ((shown: (label: string) => string) => string);

/** The most bytes that a close frame carries. */
const reasonBytes = 123;
/** The characters of a label that are shown where all of it is too much. */
const labelChars = 16;

/** The reason with every label in full, for the log of this node. */
export function fullReason(reason: Reason): string {
  return typeof reason === 'string' ? reason : reason((label) => label);
}

/** The reason as a close frame carries it: with labels cut where that is needed, so that what to do is still said. */
export function shortReason(reason: Reason): string {
  const full = fullReason(reason);
  if (typeof reason === 'string' || Buffer.byteLength(full) <= reasonBytes) return clipReason(full);
  return clipReason(reason((label) => (label.length <= labelChars ? label : `${label.slice(0, labelChars - 1)}…`)));
}

/** Cuts a reason to the bytes that a close frame carries, between characters. */
export function clipReason(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= reasonBytes) return reason;
  let end = 120;
  // A byte 10xxxxxx continues a character: step back to where one starts.
  while ((bytes.readUInt8(end) & 0xc0) === 0x80) end--;
  return `${bytes.toString('utf8', 0, end)}…`;
}
