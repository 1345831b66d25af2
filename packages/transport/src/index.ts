export { type CloseInfo, closeCodes } from './close-codes.ts';
export { createMemoryTransport, type MemoryNetwork, memoryNetwork, type MemoryNetworkOptions } from './memory.ts';
export { type KeyMaterial, maxKeys, readKeys } from './keys.ts';
export { type ListenOptions, observerCapability, type TransportOptions } from './options.ts';
export type { Priority } from './outbox.ts';
export {
  exposures,
  isInsecure,
  isLoopback,
  readSecurity,
  readTls,
  renewedTls,
  type ResolvedSecurity,
  type SecurityOptions,
  type TransportTls,
} from './security.ts';
export type { Peer, Session, SessionCounters } from './session.ts';
export type { Refusal, RotateOptions, Transport, TransportEvents } from './transport.ts';
export { createWebSocketTransport } from './websocket.ts';
