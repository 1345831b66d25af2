/** What an oracle objects to. */

/** Rules by the numbers of docs/algorithm.md; 0: the contract of a machine or of the codec. */
export interface Violation {
  readonly rule: number;
  /** Names the oracle: a failure that is shrunk must stay this one. */
  readonly oracle: string;
  readonly text: string;
  /** Virtual milliseconds. */
  readonly atMs: number;
}

/** How an oracle objects. */
export type Object = (rule: number, oracle: string, text: string) => void;
