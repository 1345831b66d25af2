/**
 * The one error class, and the closed table of what can go wrong.
 *
 * Invariants
 *  1. Every `GossipError` bears a code of `errorCodes`; docs/errors.md has one section per code, held together by a test.
 *  2. A peer's fault is never thrown across the node: the step that meets it rejects the message with a code.
 */

/** Whose fault it is: the code that called us, the peer that sent it, or the world in between. */
export type Fault = 'caller' | 'peer' | 'world';

/** Every code, with whose fault it is by default. The page docs/errors.md explains each. */
export const errorCodes = {
  /** One or more options are wrong; the message lists every violation. */
  OPTIONS_INVALID: 'caller',
  /** An id is no string, is empty or longer than the limit. */
  ID_INVALID: 'caller',
  /** An id whose life is to be renewed has no value here that readers see: it was never written, is gone, or is hidden. */
  ID_UNKNOWN: 'caller',
  /** A value holds what MessagePack cannot carry: functions, symbols, undefined, cycles. */
  VALUE_NOT_SERIALISABLE: 'caller',
  /** A value's encoding is larger than `maxUpdateBytes`. */
  UPDATE_TOO_LARGE: 'caller',
  /** An instance holds `maxIds` ids or `maxBytes` bytes: there is no room for a further value. */
  STORE_FULL: 'world',
  /** An update from a peer is stamped more than `maxDriftMs` ahead; it is held back. */
  CLOCK_TOO_FAR: 'peer',
  /** Own writes are stamped more than `maxDriftMs` ahead of this node's clock: it was ahead, and peers hold them back. */
  CLOCK_WAS_AHEAD: 'world',
  /** Two updates bear one dot: two processes write under one name and one epoch, or a member lies. */
  DOT_REUSED: 'peer',
  /** This process slept longer than `forgetAfter` and rejoined empty. */
  SLEPT_TOO_LONG: 'world',
  /** A peer sent a frame that does not decode or breaks the protocol's shape. */
  FRAME_MALFORMED: 'peer',
  /** A frame is larger than `maxFrameBytes`: nothing was sent, or the peer that sent it lost its connection. */
  FRAME_TOO_LARGE: 'peer',
  /** The first frame of a connection is no hello, or says what cannot be. */
  HELLO_MALFORMED: 'peer',
  /** A connection was opened, and no hello came in time. */
  HELLO_TIMEOUT: 'peer',
  /** A peer bears another cluster label. */
  WRONG_CLUSTER: 'peer',
  /** Of two nodes one has keys and the other has none. */
  KEY_REQUIRED: 'peer',
  /** A peer could not prove that it has a key that is listed here. */
  KEY_MISMATCH: 'peer',
  /** A frame of a sealed connection does not open: somebody on the way has changed what was sent. */
  SEAL_BROKEN: 'world',
  /** A certificate was refused, by us or by the peer: its authority, its dates, its names, or that there is none. */
  CERTIFICATE_REFUSED: 'peer',
  /** Keys want a channel binding, and a TLS connection gives none: it is older than TLS 1.3, or the runtime does not tell. */
  BINDING_UNAVAILABLE: 'world',
  /** A URL leads in the clear to another machine, and this node has no keys. */
  PLAINTEXT_REFUSED: 'caller',
  /** Peers tell a URL that leads to an address that is not public, and this node dials only public ones of theirs. */
  ADDRESS_REFUSED: 'peer',
  /** No version of the protocol is spoken by both nodes. */
  VERSION_UNSPEAKABLE: 'peer',
  /** Two nodes bear one name. */
  NAME_TAKEN: 'peer',
  /** A node has as many connections as it may. */
  TOO_MANY_CONNECTIONS: 'world',
  /** A peer takes its frames so slowly that the replies for it alone fill the queue. */
  TOO_SLOW: 'peer',
  /** Nothing was heard of a connected peer, pings unanswered. */
  SILENT: 'world',
  /** A connection broke without a close frame. */
  CONNECTION_LOST: 'world',
  /** A URL could not be dialled; it is tried again. */
  PEER_UNREACHABLE: 'world',
  /** A source of addresses could not be asked, or what it said cannot be used; it is asked again. */
  DISCOVERY_FAILED: 'world',
  /** The state file could not be read, understood or written; the node goes on without. */
  STATE_FILE_FAILED: 'world',
  /** Another process listens on the port. */
  PORT_IN_USE: 'world',
  /** The host or port cannot be listened on: not of this machine, or not permitted. */
  ADDRESS_UNAVAILABLE: 'world',
  /** A parent is unknown to our copy of nact: two copies are installed, or that parent was already stopped. */
  NACT_MISMATCH: 'caller',
  /** Two nact systems of one name run in a process: messages to actors of the first are lost. */
  SYSTEM_NAME_TAKEN: 'caller',
  /** A parent already has a child actor of that name. */
  ACTOR_NAME_TAKEN: 'caller',
  /** An actor that was asked, or was to be a parent, has stopped. */
  ACTOR_GONE: 'world',
  /** An actor crashed on the message it was asked with. */
  ACTOR_CRASHED: 'world',
  /** An actor did not answer in time. */
  ASK_TIMEOUT: 'world',
  /** A bounded mailbox refused or dropped the message that an actor was asked with. */
  MAILBOX_FULL: 'world',
  /** A node already runs a gossip instance of that name. */
  GOSSIP_NAME_TAKEN: 'caller',
  /** Two nodes run different protocols under one instance name; they do not gossip with each other in it. Or their memberships differ. */
  PROTOCOL_MISMATCH: 'peer',
  /** A handler answered something that is no verdict. */
  VERDICT_INVALID: 'caller',
  /** A handler did not answer within `handlerTimeout`. */
  HANDLER_TIMEOUT: 'caller',
  /** The actor that is the handler of an instance has ended; nothing that arrives is judged until it is there again. */
  HANDLER_GONE: 'caller',
  /** The handler of an instance refused an own write, with `judgeWrites`; nothing was written. */
  WRITE_REFUSED: 'caller',
  /** A supervisor had to restart its children more often than `maxRestarts` within `withinMs`. */
  RESTART_LIMIT: 'caller',
  /** A node that left had writes that no other node is known to have taken. */
  UNDELIVERED: 'world',
  /** No other member was met in time. */
  JOIN_TIMEOUT: 'world',
  /** An instance did not come to hold in time what a peer had. */
  SYNC_TIMEOUT: 'world',
  /** A node was used after it was left or closed. */
  CLOSED: 'caller',
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface GossipErrorDetails {
  /** Defaults to the table's. */
  readonly fault?: Fault;
  /** Whether anything was changed before the error. @default false */
  readonly stateChanged?: boolean;
  /** What helps to find the cause: peer, option path, sizes. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class GossipError extends Error {
  override readonly name = 'GossipError';
  readonly code: ErrorCode;
  readonly fault: Fault;
  readonly stateChanged: boolean;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: GossipErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.fault = details.fault ?? errorCodes[code];
    this.stateChanged = details.stateChanged ?? false;
    this.context = details.context ?? {};
  }
}

/** Tells a `GossipError` apart even where two copies of this package are loaded. */
export function isGossipError(value: unknown): value is GossipError {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as { name?: unknown }).name === 'GossipError' &&
    'code' in value
  );
}
