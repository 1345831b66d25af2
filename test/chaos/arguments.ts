/** The arguments of `npm run chaos`. */
import { parseArgs } from 'node:util';

import { someOf, whole } from '../bench/command-line.ts';
import { type FaultKind, faultKinds } from './plan.ts';

export interface ChaosArguments {
  readonly faults: number;
  readonly seed: number;
  readonly nodes: number;
  readonly without: readonly FaultKind[];
  readonly json: boolean;
  readonly keep: boolean;
}

export const usage = `npm run chaos -- [options]

  --faults N       how many (100)
  --seed S         of the plan: what is done to whom, and what is written (1)
  --nodes N        agents, 3 to 17 (5)
  --without F,…    faults to leave out: ${Object.keys(faultKinds).join(', ')}
  --json           print one object at the end, and nothing else
  --keep           keep logs and state files, also where all went well`;

/** @throws Error that says which argument is wrong */
export function readArguments(args: readonly string[]): ChaosArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      faults: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '5' },
      without: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
    },
  });
  const nodes = whole('nodes', values.nodes, 3);
  // Beyond 17 not everybody is connected with everybody, and a fault of a pair would wait for ever.
  if (nodes > 17) throw new Error(`--nodes must be at most 17, not ${nodes}.`);
  return {
    faults: whole('faults', values.faults, 1),
    seed: whole('seed', values.seed, 0),
    nodes,
    without: someOf('fault', values.without, Object.keys(faultKinds) as FaultKind[]),
    json: values.json,
    keep: values.keep,
  };
}
