/**
 * What `grapevine advise` was asked for, as its command line says it.
 */

export interface AdviseFlags {
  readonly nodes: number;
  readonly target: number;
  readonly delta: number;
  readonly rate: number;
  readonly loss: number;
  readonly seed: number;
  readonly json?: true;
}
