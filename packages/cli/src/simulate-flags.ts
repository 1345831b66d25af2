/**
 * What `grapevine simulate` was asked for, as its command line says it.
 */

export interface SimulateFlags {
  readonly protocol: 'rumor' | 'entropy' | 'hybrid';
  readonly direction?: string;
  readonly feedback?: true;
  readonly blind?: true;
  readonly removal?: string;
  readonly rounds?: unknown;
  readonly level?: unknown;
  readonly option: Record<string, unknown>;
  readonly nodes: number;
  readonly runs: number;
  readonly seed: number;
  readonly loss?: number;
  readonly synchronous?: true;
  readonly judged?: 'batch' | 'arrival';
  readonly json?: true;
  readonly plot?: string;
}
