export { AgentProcess, type AgentProcessOptions, type Exit } from './demo/agent-process.ts';
export type { AgentEvent, PrintedEntry } from './event.ts';
