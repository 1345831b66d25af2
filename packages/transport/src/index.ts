export { type CloseInfo, closeCodes } from './close-codes.ts';
export { createMemoryTransport, type MemoryNetwork, memoryNetwork, type MemoryNetworkOptions } from './memory.ts';
export { type ListenOptions, observerCapability, type TransportOptions, type TransportTls } from './options.ts';
export type { Priority } from './outbox.ts';
export type { Peer, Session, SessionCounters } from './session.ts';
export type { Refusal, Transport, TransportEvents } from './transport.ts';
export { createWebSocketTransport } from './websocket.ts';
