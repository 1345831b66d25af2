/**
 * The rows of the table: who comes, what must come of it, and which test stands behind it.
 *
 * Invariants
 *  1. What is said here of what he sees and what is logged is held against what was measured; the run fails where it differs.
 *  2. Every row has a test (test/docs/attacks-page.test.ts looks).
 */
import type { NodeOptions } from '@grapevine/actors';

export interface Row {
  readonly id: string;
  readonly who: string;
  readonly sees: string;
  /** What every attempt must have seen that the victim ended. */
  readonly saw: RegExp;
  /** Codes in the victim's log at its default level: these and no others. */
  readonly logs: readonly string[];
  /** Codes that may be in it besides, for what is no part of the attack. */
  readonly mayLog?: readonly string[];
  /** Of the victim alone, beside its name, keys and so on: what makes the bound in question near. */
  readonly victim?: Partial<NodeOptions>;
  /** What all nodes are secured with. @default a key */
  readonly security?: 'a key' | 'an older key too' | 'a key after rotation' | 'certificates';
  /** Which certificate the attacker shows. @default none */
  readonly certificate?: 'of another authority' | 'expired' | 'of his own name' | 'none';
  /** Who is led to the attacker. @default nobody */
  readonly baited?: 'victim' | 'honest';
  /** By what nodes find each other. SWIM soon takes one for dead that does not answer, and lets go of it. @default seeds */
  readonly members?: 'seeds' | 'a list';
  /** Whether what is measured is a second of it, not a connection. */
  readonly lasting?: boolean;
  /** How long at least an attack must go on for it to show, in milliseconds. */
  readonly atLeastMs?: number;
  /** File and name of the test behind the row. */
  readonly test: readonly [file: string, name: string];
}

const strangers = 'test/security/strangers.test.ts';
const tls = 'test/security/tls.test.ts';
const limits = 'packages/transport/src/limits.test.ts';
const bounds = 'actors/src/bounds.test.ts';
const members = 'test/security/members.test.ts';

/** At the end of an attack he lets go of his last connection, perhaps with much of what he wrote still under way. */
const letsGo = ['CONNECTION_LOST'];

export const beforeProof: readonly Row[] = [
  {
    id: 'wrong-key',
    who: 'with a wrong key',
    sees: "the node's hello (name, epoch, URL), then close 4406",
    saw: /^4406$/,
    logs: ['KEY_MISMATCH'],
    test: [strangers, 'with a wrong key is refused, and hears nothing that a key was used for'],
  },
  {
    id: 'no-key',
    who: 'without a key',
    sees: 'close 4407, no hello',
    saw: /^4407$/,
    logs: ['KEY_REQUIRED'],
    test: [strangers, 'without a nonce is refused, and hears nothing at all'],
  },
  {
    id: 'older-key-before',
    who: 'with an older key that is listed',
    sees: 'he is let in',
    saw: /^1000$/,
    logs: [],
    mayLog: letsGo,
    security: 'an older key too',
    test: ['test/security/rotation.test.ts', 'keys are rotated under load'],
  },
  {
    id: 'older-key-after',
    who: 'with an older key after the third step',
    sees: 'close 4406; a session that it proved ends with close 4004',
    saw: /^4406$/,
    logs: ['KEY_MISMATCH'],
    security: 'a key after rotation',
    test: ['test/security/rotation.test.ts', 'keys are rotated under load'],
  },
  {
    id: 'wrong-authority',
    who: 'with a certificate of a wrong authority',
    sees: 'the end of TLS, no byte of ours',
    saw: tlsEnd(),
    logs: ['CERTIFICATE_REFUSED'],
    security: 'certificates',
    certificate: 'of another authority',
    test: [tls, 'of another authority'],
  },
  {
    id: 'expired-certificate',
    who: 'with a certificate that has expired',
    sees: 'the end of TLS, no byte of ours',
    saw: tlsEnd(),
    logs: ['CERTIFICATE_REFUSED'],
    security: 'certificates',
    certificate: 'expired',
    test: [tls, 'that has expired'],
  },
  {
    id: 'no-certificate',
    who: 'with no certificate, where one is wanted',
    sees: 'the end of TLS, no byte of ours',
    saw: tlsEnd(),
    logs: ['CERTIFICATE_REFUSED'],
    security: 'certificates',
    certificate: 'none',
    test: [tls, 'that is not shown'],
  },
  {
    id: 'wrong-name',
    who: 'with a good certificate, and a name that it does not bear (`checkNames`)',
    sees: 'close 4412, no hello',
    saw: /^4412$/,
    logs: ['CERTIFICATE_REFUSED'],
    security: 'certificates',
    certificate: 'of his own name',
    test: [tls, 'bears the name of its node where checkNames is on, on both sides'],
  },
  {
    id: 'replayed-hello',
    who: 'with a hello and a proof that he overheard',
    sees: "the node's hello, then close 4406",
    saw: /^4406$/,
    logs: ['KEY_MISMATCH'],
    test: [strangers, 'and repeats what a node once said is refused: a hello and a proof are good for one connection'],
  },
  {
    id: 'reflected-proof',
    who: 'dialled by us, with our own proof',
    sees: 'our hello and our proof, then close 4406',
    saw: /^4406$/,
    logs: ['KEY_MISMATCH'],
    // Between attacks nobody listens where it dials.
    mayLog: ['PEER_UNREACHABLE'],
    baited: 'victim',
    members: 'a list',
    test: [strangers, 'and returns the proof as its own is refused'],
  },
  {
    id: 'downgraded-version',
    who: 'on the way, with another version (or name, epoch, URL, capability, nonce)',
    sees: 'both ends close as 4406',
    saw: /^4406$/,
    logs: ['KEY_MISMATCH'],
    baited: 'honest',
    members: 'a list',
    test: [strangers, 'who changes %s that one side says of itself is found out'],
  },
  {
    id: 'wrong-cluster',
    who: 'of another cluster',
    sees: 'close 4403, no hello',
    saw: /^4403$/,
    logs: ['WRONG_CLUSTER'],
    test: [strangers, 'of another cluster is refused by its label, with the right key or not'],
  },
  {
    id: 'name-taken',
    who: 'with the name of a living node, and a key',
    sees: "the node's hello, then close 4409; the living node is pinged",
    saw: /^4409$/,
    logs: ['NAME_TAKEN'],
    test: [strangers, 'and bears the name of a living node, with the key of the cluster, is refused as today'],
  },
  {
    id: 'too-many-connections',
    who: 'with more connections from one address than it may have (64 here), which say nothing',
    sees: 'close 4430, the oldest first; those that last 4408 after 5 s',
    saw: /^(4430|4408)$/,
    logs: ['TOO_MANY_CONNECTIONS'],
    mayLog: ['HELLO_TIMEOUT'],
    victim: { maxConnectionsPerAddress: 64 },
    atLeastMs: 7000,
    test: [
      limits,
      'of one address beyond maxConnectionsPerAddress are refused with code and sentence, and let in when there is room',
    ],
  },
  {
    id: 'unfinished-handshake',
    who: 'and does not finish the handshake, 200 at a time',
    sees: "the node's hello, then close 4408 after 5 s",
    saw: /^4408$/,
    logs: ['HELLO_TIMEOUT'],
    atLeastMs: 7000,
    test: [strangers, 'and never finishes is let go in time, whichever part it owes, and keeps nobody out meanwhile'],
  },
  {
    id: 'slow-hello',
    who: 'and writes its hello at one byte a second, 50 at a time',
    sees: 'close 4408 after 5 s',
    saw: /^4408$/,
    logs: ['HELLO_TIMEOUT'],
    atLeastMs: 7000,
    test: [limits, 'has the time of a handshake for its hello'],
  },
  {
    id: 'silent-flood',
    who: 'opens 280 connections at a time that say nothing',
    sees: 'close 4430 or the end, the oldest first',
    saw: /^(4430|4408|end|ECONNRESET|EPIPE)$/,
    logs: ['TOO_MANY_CONNECTIONS'],
    mayLog: ['HELLO_TIMEOUT'],
    test: [limits, 'of one address (%s) that %s keep no member out, from that address or another'],
  },
  {
    id: 'refused-flood',
    who: 'is refused, and goes on with a frame of almost 2 MiB, 20 at a time',
    sees: 'close 4401, and the end after 16 KiB',
    saw: /^(4401|end|ECONNRESET|EPIPE)$/,
    logs: ['HELLO_MALFORMED'],
    test: [limits, 'that are refused, and go on sending, are cut: they hold no memory and no place'],
  },
  {
    id: 'pong-before',
    who: 'sends a pong before it has said anything',
    sees: 'close 4401',
    saw: /^4401$/,
    logs: ['HELLO_MALFORMED'],
    test: [limits, 'of strangers end at the first pong, which nobody asked for'],
  },
];

export const afterProof: readonly Row[] = [
  {
    id: 'frame-too-large',
    who: 'sends a frame larger than `maxFrameBytes`',
    sees: 'close 1009 after its first bytes',
    saw: /^1009$/,
    logs: ['FRAME_TOO_LARGE'],
    mayLog: letsGo,
    test: [members, 'a frame that is too large'],
  },
  {
    id: 'nesting-bomb',
    who: 'sends half a million arrays inside each other',
    sees: 'close 4400',
    saw: /^4400$/,
    logs: ['FRAME_MALFORMED'],
    mayLog: letsGo,
    test: [members, 'a nesting bomb'],
  },
  {
    id: 'huge-array',
    who: 'declares an array of 2^32 − 1 elements',
    sees: 'close 4400',
    saw: /^4400$/,
    logs: ['FRAME_MALFORMED'],
    mayLog: letsGo,
    test: [members, 'a declared array of 2^32 elements'],
  },
  {
    id: 'invented-origins',
    who: 'invents a million origins',
    // What he sends on after that may end the connection before he has read the close frame.
    sees: 'close 4400, or the end, after 40,960 origins',
    saw: /^(4400|end|ECONNRESET|EPIPE)$/,
    logs: ['FRAME_MALFORMED', 'STORE_FULL'],
    mayLog: letsGo,
    members: 'a list',
    test: [members, 'a million invented origins'],
  },
  {
    id: 'flood-of-updates',
    who: 'floods with updates',
    sees: 'he is read more slowly (`maxUpdatesPerSecond`, `maxBytesPerSecond`)',
    saw: /^stopped$/,
    logs: [],
    mayLog: letsGo,
    lasting: true,
    members: 'a list',
    test: [bounds, 'is not read while its allowance is used up, loses nothing, and is visible'],
  },
  {
    id: 'flood-of-asks',
    who: 'floods with asks for a megabyte, and reads as fast as he can',
    sees: 'a megabyte for each; close 4429 when 16 MiB wait for him',
    saw: /^4429$/,
    logs: ['TOO_SLOW'],
    mayLog: letsGo,
    lasting: true,
    members: 'a list',
    test: [bounds, 'with asks is held in the same way: what it asks for counts'],
  },
  {
    id: 'flood-for-nobody',
    who: 'floods with messages for an instance that the node does not have',
    sees: 'he is read more slowly (`maxUpdatesPerSecond`)',
    saw: /^stopped$/,
    logs: [],
    mayLog: letsGo,
    lasting: true,
    members: 'a list',
    test: [bounds, 'with messages for an instance that the node does not have is held too'],
  },
  {
    id: 'flood-of-pongs',
    who: 'floods with pongs',
    sees: 'he is read more slowly (`maxUpdatesPerSecond`)',
    saw: /^stopped$/,
    logs: [],
    mayLog: letsGo,
    lasting: true,
    members: 'a list',
    test: [bounds, 'with pings and pongs is held too'],
  },
  {
    id: 'slow-reader',
    who: 'asks, and reads no answer (`stallTimeout` is 3000 here)',
    sees: 'the end after `stallTimeout`; close 4429, if he still reads what came before it',
    saw: /^(4429|end|ECONNRESET|EPIPE)$/,
    logs: ['TOO_SLOW'],
    mayLog: letsGo,
    victim: { stallTimeout: 3000 },
    members: 'a list',
    atLeastMs: 7000,
    test: [limits, 'is cut off after stallTimeoutMs as TOO_SLOW, and until then what waits is told'],
  },
  {
    id: 'slow-writer',
    who: 'writes a frame at one byte a second (`pingIntervalMs` is 1000 here)',
    sees: 'close 4410 after three times `pingIntervalMs`',
    saw: /^4410$/,
    logs: ['SILENT'],
    mayLog: letsGo,
    victim: { pingIntervalMs: 1000 },
    members: 'a list',
    atLeastMs: 7000,
    test: [limits, 'is silent, however long its frame is on its way'],
  },
];

/** How a dialler of Node.js learns that a server ended TLS: with an alert, or without a word. */
function tlsEnd(): RegExp {
  return /^(end|ECONNRESET|EPIPE|ERR_SSL_\w+)$/;
}
