/**
 * `grapevine members URL`: who is there, as a running node knows it.
 *
 * Invariants
 *  1. The asker is no member, and nobody takes it for one.
 *  2. With `--json` standard output bears one object; else a line per member, for people.
 */
import type { Command } from 'commander';
import { printable } from '@grapevine/core';
import { type MemberStatus, observeMembers } from '@grapevine/node';

import { parseDuration } from './duration.ts';
import { addSecurityFlags, type SecurityFlags, securityOf } from './security.ts';

interface MembersFlags extends SecurityFlags {
  readonly cluster?: string;
  readonly timeout: string;
  readonly json?: true;
}

export function addMembers(grapevine: Command): void {
  addSecurityFlags(grapevine.command('members'))
    .description('ask a running node who is there')
    .argument('<url>', 'of any node of the cluster, such as ws://127.0.0.1:7001')
    .option('--cluster <label>', 'the label of its cluster (default: "default")')
    .option('--timeout <duration>', 'how long to wait, such as 5s', '5s')
    .option('--json', 'print one object')
    .action(async (url: string, flags: MembersFlags, command: Command) => {
      const { cluster, timeout, json } = flags;
      const timeoutMs = parseDuration(timeout);
      if (timeoutMs === undefined)
        command.error('--timeout must be a duration such as 5s, 1m or 500ms.', { exitCode: 2 });
      const { name, members } = await observeMembers(url, { cluster, timeoutMs, security: securityOf(flags) });
      process.stdout.write(json === true ? `${JSON.stringify({ node: name, members })}\n` : table(members));
    });
}

/** For people: the living first, by name. Nothing that a node says of itself moves the cursor of their terminal. */
export function table(members: readonly MemberStatus[]): string {
  const order = ['alive', 'suspect', 'left', 'down'];
  const rows = members
    .toSorted(
      (a, b) => order.indexOf(a.state ?? 'alive') - order.indexOf(b.state ?? 'alive') || (a.name < b.name ? -1 : 1),
    )
    .map(({ name, state = 'alive', url, meta = {} }) => [
      name,
      state,
      url ?? '(does not listen)',
      Object.entries(meta)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ])
    .map((row) => row.map(printable));
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
