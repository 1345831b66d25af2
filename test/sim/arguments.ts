/** The arguments of the commands that run seeds. */
import { parseArgs } from 'node:util';
import { positive, someOf, whole } from '../bench/command-line.ts';
import { allFaults, type FaultName, type MembershipName, type ProtocolName } from '@grapevine/sim';

export interface SeedArguments {
  readonly from: number;
  readonly seeds: number;
  readonly nodes: number;
  readonly minutes: number;
  readonly workers: number;
  readonly protocol: ProtocolName | undefined;
  readonly membership: MembershipName | undefined;
  readonly hubs: number | undefined;
  readonly only: ReadonlySet<number> | undefined;
  readonly without: readonly FaultName[];
  readonly trace: boolean;
}

export const usage = `npm run simulate:seeds -- [options]

  --seeds N        how many seeds (100)
  --from S         the first seed (1)
  --seed S         this seed alone
  --nodes N        nodes in each world (20)
  --minutes M      virtual minutes of each history (10)
  --protocol P     rumor, entropy or hybrid (chosen by the seed)
  --membership M   list (every edge is kept connected) or swim (list)
  --hubs H         so many nodes can be dialled, the others only dial (all)
  --without F,…    faults to leave out: ${Object.keys(allFaults).join(', ')}
  --only N,…       only the operations of these numbers; "none" for none
  --workers W      threads (2)
  --trace          print all that happens; for a single seed`;

/** @throws Error that says which argument is wrong */
export function readArguments(args: readonly string[]): SeedArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: '100' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      nodes: { type: 'string', default: '20' },
      minutes: { type: 'string', default: '10' },
      workers: { type: 'string', default: '2' },
      protocol: { type: 'string' },
      membership: { type: 'string' },
      hubs: { type: 'string' },
      without: { type: 'string', default: '' },
      only: { type: 'string' },
      trace: { type: 'boolean', default: false },
    },
  });
  const { protocol, membership, hubs, seed, only } = values;
  if (protocol !== undefined && !['rumor', 'entropy', 'hybrid'].includes(protocol))
    throw new Error(`--protocol must be rumor, entropy or hybrid, not '${protocol}'.`);
  if (membership !== undefined && !['list', 'swim'].includes(membership))
    throw new Error(`--membership must be list or swim, not '${membership}'.`);
  return {
    from: whole('from', seed ?? values.from, 0),
    seeds: seed === undefined ? whole('seeds', values.seeds, 1) : 1,
    nodes: whole('nodes', values.nodes, 2),
    minutes: positive('minutes', values.minutes),
    workers: whole('workers', values.workers, 1),
    protocol: protocol as ProtocolName | undefined,
    membership: membership as MembershipName | undefined,
    hubs: hubs === undefined ? undefined : whole('hubs', hubs, 1),
    only: only === undefined ? undefined : new Set(only === 'none' ? [] : only.split(',').map(Number)),
    without: someOf('fault', values.without, Object.keys(allFaults) as FaultName[]),
    trace: values.trace,
  };
}
