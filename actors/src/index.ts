export {
  entropy,
  GossipError,
  hybrid,
  isGossipError,
  type Member,
  type Discovery,
  type Membership,
  type MemberState,
  type MemberStatus,
  type Meta,
  type Protocol,
  rumor,
  staticMembership,
} from '@grapevine/core';
export {
  createMemoryTransport,
  createWebSocketTransport,
  type KeyMaterial,
  type MemoryNetwork,
  memoryNetwork,
  type SecurityOptions,
  type Transport,
  type TransportOptions,
  type TransportTls,
} from '@grapevine/transport';
export { contentId } from '@grapevine/wire';

export { dns, type DnsOptions } from './discovery/dns.ts';
export { file, type FileOptions } from './discovery/file.ts';
export type { FindUrls, Seed } from './discovery/source.ts';
export {
  Change,
  type ChangesEvent,
  type ChangeType,
  DeadLetter,
  type DeadLettersEvent,
  Entry,
  type GossipEvent,
  type HiddenUpdate,
  type MemberEvent,
  type MembersEvent,
  type NodeEvent,
  type RefusedEvent,
  type SnapshotEvent,
  type Version,
} from './events.ts';
export type { HandlerState } from './holding.ts';
export type { Handler, PushContext, PushMessage } from './push.ts';
export {
  actorAt,
  joined,
  leaveGrapevine,
  ready,
  spawnGossip,
  spawnGrapevine,
  stopGossip,
  synced,
} from './grapevine.ts';
export type { LeaveOptions, LeaveReport } from './leave-report.ts';
export type { Refusal } from './refusals.ts';
export { type ActorStats, injectFault, isGone, spawnChild, statsOf, stopTree, tell } from './kernel/actor.ts';
export { ask, type AskOptions } from './kernel/ask.ts';
export type { ActorSpec, Behaviour, Self, StopReason } from './kernel/behaviour.ts';
export { type Logger, silent } from './kernel/logger.ts';
export { type Ref, startSystem, stopRef } from './kernel/nact.ts';
export { type Terminated, watch } from './kernel/watch.ts';
export {
  add,
  addMany,
  type AddOptions,
  describe,
  type DescribeReply,
  type GossipMessage,
  type JoinedReply,
  leave,
  type NodeMessage,
  remove,
  renewTls,
  type RenewTls,
  isPrefix,
  type PrefixOptions,
  refresh,
  type Refresh,
  type RefreshOptions,
  type ReplyOptions,
  rotateKeys,
  type RotateKeys,
  type RotateOptions,
  type SecurityReply,
  subscribe,
  type Subscribe,
  type SyncedReply,
  unsubscribe,
  type Unsubscribe,
  whenJoined,
  type WhenJoined,
  whenSynced,
  type WhenSynced,
  type WriteReply,
} from './messages.ts';
export { type Observation, observeMembers, type ObserveOptions } from './observe.ts';
export { type GossipOptions, gossipViolations, type NodeOptions, nodeViolations } from './options.ts';
export type { Stored } from './received.ts';
export { swim, type SwimOptions } from './swim.ts';
export type { NodeTotals } from './totals.ts';
export type { HandlerVerdict, Kept } from './verdict.ts';
export type { WaitingOptions } from './waiting.ts';
export {
  type GossipStatus,
  type GossipView,
  gossipView,
  type HiddenOptions,
  type LinkStatus,
  type NodeView,
  nodeView,
} from './views.ts';
