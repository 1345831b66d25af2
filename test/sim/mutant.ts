/** Runs histories in a copy of the packages until one fails or the time is over. Arguments: seconds, membership. */
import { type MembershipName, runHistory, type Violation } from '@grapevine/sim';

export interface MutantReport {
  readonly violation: Violation | null;
  readonly seed: number;
  readonly elapsedMs: number;
}

/** Small worlds first: they find most, and fast. */
const sizes = [
  { nodes: 4, minutes: 3 },
  { nodes: 5, minutes: 6 },
  { nodes: 8, minutes: 4 },
] as const;

/** Of this process alone, however busy the machine is. */
const usedMs = (): number => process.cpuUsage().user / 1000;
const membership = process.argv[3] as MembershipName;
const limitMs = 1000 * Number(process.argv[2]);
let seed = 0;
let violation: Violation | null = null;
while (violation === null && usedMs() < limitMs) {
  seed++;
  violation = violationOf(seed);
}

/** What throws outside the machines, as where an oracle looks into a broken store, is as good as an objection. */
function violationOf(history: number): Violation | null {
  try {
    return runHistory({ seed: history, membership, ...(sizes[history % sizes.length] ?? sizes[0]) }).violation;
  } catch (error) {
    return { rule: 0, oracle: 'crash', text: String(error), atMs: 0 };
  }
}

const report: MutantReport = { violation, seed, elapsedMs: usedMs() };
process.stdout.write(JSON.stringify(report));
