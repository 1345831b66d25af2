/**
 * Deliberate bugs of SWIM, planted as those of the protocols are, and looked for in worlds whose nodes find each other by it.
 */
import type { Mutation } from './mutations.ts';

const one = (name: string, file: string, from: string, to: string, survives?: string): Mutation => ({
  name,
  rule: 'swim',
  membership: 'swim',
  patches: [{ file: `core/src/memberships/${file}`, from, to }],
  ...(survives === undefined ? {} : { survives }),
});

export const swimMutations: readonly Mutation[] = [
  {
    ...one('take the time alone for an epoch', '../origin.ts', '1 + below(random, EPOCHS_PER_TICK - 1)', '1'),
    rule: '2',
  },
  one(
    'keep whoever has the lower epoch of two',
    'swim/connections.ts',
    'if (tie !== undefined && tie.epoch < epoch) this.#expel({ name, epoch: tie.epoch }, url);',
    '',
  ),
  one('refute nothing', 'swim/knowledge.ts', 'this.#assert(incarnation + 1);', ''),
  one(
    'let nobody who is down come back in the same life',
    'swim/roster.ts',
    'const newer = report.incarnation - status.incarnation;',
    "if (status.state === 'down') return false; const newer = report.incarnation - status.incarnation;",
  ),
  one(
    'declare nobody down',
    'swim/knowledge.ts',
    'this.#take([name, epoch, incarnation, DOWN, url, meta, []], clocks);',
    '',
  ),
  one(
    'suspect nobody who does not answer',
    'swim/detector.ts',
    'if (entry?.status.epoch === probe.epoch) knowledge.suspect(entry.status, clocks);',
    '',
  ),
  one('take no answer for one', 'swim/detector.ts', 'this.#open.close(probe);\n      awareness.count(-1);', ''),
  one('believe of a life that is over', 'swim/roster.ts', "if (epoch < status.epoch) return 'old';", ''),
  one('take a connection that is closed for open', 'swim/neighbours.ts', '    this.ties.delete(name);\n', ''),
  one(
    'compare nothing when connected',
    'swim.ts',
    'if (late || this.#environment.self.name < member.name) this.#compare(member.name);',
    '',
    'a newcomer is news that spreads, and all is compared every syncInterval: it only takes longer',
  ),
  one('stay in a life that others take for over', 'swim/knowledge.ts', 'return this.#events.outlived(epoch);', ''),
  one('never end a dial', 'swim/connections.ts', 'this.#dials.delete(url);', ''),
  one('dial an address once', 'swim/contacts.ts', 'contact.isUnderWay = false;', ''),
  one(
    'take hearsay of a death for one, though connected',
    'swim.ts',
    "if (states[record[3]] === 'down' && this.#connections.isTied(record[0]))",
    'if (false)',
    'a false death is judged only where nobody is cut off; and who is buried so says that he lives',
  ),
  one(
    'count time in which one stood still',
    'swim.ts',
    'this.#stoodStillMs += forMs;',
    '',
    'who is accused for it refutes in time; and suspicions under way are of those who were stopped as well',
  ),
  one(
    'give no newcomer the name of who is at another address',
    'swim/connections.ts',
    'else this.#succeed(member, true);',
    '',
    'whoever waits for the answer of the former takes the newcomer when the time is up: it only takes longer',
  ),
  one(
    'forget nobody who was lost, but dial him no more',
    'swim/connections.ts',
    "this.#contacts.add(url, 'lost', nowMs);\n    if (this.isAlone)",
    'if (this.isAlone)',
    'every node has a seed that never moves, and the two sides of a partition meet there',
  ),
];
