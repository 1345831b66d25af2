/**
 * Asks a running node who is there, from outside: connects as an observer, which is no member, asks once and goes.
 *
 * Invariants
 *  1. Nobody in the cluster takes the asker for a node: it is in no view, and no gossip comes to it.
 *  2. Whatever the other side does, it is over within `timeoutMs` and `CLOSE_MS`, and no connection is left.
 *
 * Source: docs/wire.md, "Membership".
 */

import { randomUUID } from 'node:crypto';

import {
  GossipError,
  isSwimMessage,
  type MemberState,
  type MemberStatus,
  SWIM_HASH,
  SWIM_SYNC,
  type SwimMessage,
  SWIM_WHO,
  type SwimRecord,
  swimStates,
} from '@grapevine/core';
import {
  createWebSocketTransport,
  observerCapability,
  type SecurityOptions,
  type Session,
  type Transport,
} from '@grapevine/transport';
import { Decoder, encodeChannel, Encoder } from '@grapevine/wire';

import { membershipParty } from './party.ts';
import { time } from './kernel/time.ts';

export interface ObserveOptions {
  /** @default 'default' */
  readonly cluster?: string | undefined;
  /** How long the answer may take, in milliseconds; the goodbye takes a quarter of a second more at most. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** As the cluster's nodes have it. @default none */
  readonly security?: SecurityOptions | undefined;
}

export interface Observation {
  /** The node that answered. */
  readonly name: string;
  /** All that it knows, itself first. `sinceMs` is not told. */
  readonly members: readonly MemberStatus[];
}

const channel = 0;
/** For how long the other side may leave the goodbye unanswered, in milliseconds. */
const CLOSE_MS = 250;

/**
 * @param url of any node of the cluster, whose membership is `swim`
 * @throws (rejects) GossipError OPTIONS_INVALID, PEER_UNREACHABLE, WRONG_CLUSTER, KEY_MISMATCH and what else a hello can end with, PROTOCOL_MISMATCH when
 *   the node's membership is another, ASK_TIMEOUT
 */
export async function observeMembers(
  url: string,
  { cluster, timeoutMs = 5000, security }: ObserveOptions = {},
): Promise<Observation> {
  const transport = createWebSocketTransport({
    name: `observer-${randomUUID()}`,
    epoch: time.wallMs(),
    capabilities: [observerCapability],
    handshakeTimeoutMs: timeoutMs,
    closeTimeoutMs: CLOSE_MS,
    ...(cluster === undefined ? {} : { cluster }),
    ...(security === undefined ? {} : { security }),
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new GossipError(
      'ASK_TIMEOUT',
      `${url} did not say who is there within ${timeoutMs} ms. If it is a node, it is too busy, or stopped.`,
      { context: { url, timeoutMs } },
    );
    timer = time.setTimeout(() => reject(error), timeoutMs);
  });
  try {
    return await Promise.race([ask(transport, url), late]);
  } finally {
    time.clearTimeout(timer);
    await transport.close('the question is answered');
  }
}

function ask(transport: Transport, url: string): Promise<Observation> {
  return new Promise((resolve, reject) => {
    const events = {
      opened: (session: Session) => {
        const decoder = new Decoder();
        const members: MemberStatus[] = [];
        session.onFrames = (frames) => {
          try {
            for (const frame of frames) {
              const said = answerIn(decoder, frame);
              if (said?.[0] === SWIM_SYNC) members.push(...said[1].map(statusOf));
              else if (said?.[0] === SWIM_HASH) resolve({ name: session.peer.name, members });
            }
          } catch (error) {
            reject(error);
          }
        };
        session.send(
          encodeChannel({ channel, instance: membershipParty, protocol: 'swim', newestEpochOfYou: 0 }),
          'reply',
        );
        session.send(new Encoder().encode(channel, { type: 'custom', body: [SWIM_WHO] }).bytes, 'reply');
      },
      closed: (_session: Session, { error, reason }: { readonly error?: GossipError; readonly reason: string }) =>
        reject(error ?? new GossipError('CONNECTION_LOST', `${url} closed the connection: ${reason}`)),
      dialEnded: ({ outcome, error }: { readonly outcome: string; readonly error?: GossipError }) => {
        if (outcome !== 'connected') reject(error ?? new GossipError('PEER_UNREACHABLE', `${url} cannot be reached`));
      },
    };
    transport.start(events).then(() => transport.connect(url, 'configuration'), reject);
  });
}

/** @throws GossipError FRAME_MALFORMED, PROTOCOL_MISMATCH */
function answerIn(decoder: Decoder, frame: Uint8Array): SwimMessage | null {
  const incoming = decoder.decode(frame);
  if (incoming?.type === 'refuse-channel')
    throw new GossipError('PROTOCOL_MISMATCH', `The node's membership is not swim: ${incoming.reason}`);
  if (incoming?.type !== 'gossip' || incoming.message.type !== 'custom') return null;
  const { body } = incoming.message;
  return isSwimMessage(body) ? body : null;
}

function statusOf([name, epoch, incarnation, state, url, meta]: SwimRecord): MemberStatus {
  return { name, epoch, url, meta, state: swimStates[state] as MemberState, incarnation };
}
