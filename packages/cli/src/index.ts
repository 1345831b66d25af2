export type { AgentEvent, PrintedEntry } from './event.ts';
