export { type AddOptions, type ChangesOptions, Gossip, type GossipChange, type Written } from './gossip.ts';
export {
  createGrapevine,
  Grapevine,
  type GrapevineOptions,
  type GrapevineStatus,
  type MemberChange,
} from './grapevine.ts';
export type { LoggerChoice, LoggerOptions } from './logger.ts';
export {
  type Change,
  type DeadLetter,
  type Entry,
  type GossipOptions,
  type GossipStatus,
  type GossipView,
  type Handler,
  type HandlerVerdict,
  type LinkStatus,
  type Logger,
  type NodeOptions,
  type Stored,
  type Version,
} from '@grapevine/actors';
export {
  entropy,
  type EntropyOptions,
  type ErrorCode,
  errorCodes,
  GossipError,
  hybrid,
  type HybridOptions,
  isGossipError,
  type Member,
  type Membership,
  type Protocol,
  rumor,
  type RumorOptions,
  staticMembership,
} from '@grapevine/core';
