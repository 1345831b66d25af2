/**
 * The permission model of Node.js (`--permission`), as far as it concerns sockets.
 *
 * Rule of Node.js 26: a socket without `--allow-net` fails by an exception that is raised outside of every call of ours, and
 * ends the process. So the permission is asked for first.
 *
 * Source: Node.js, "Permissions".
 */
import { GossipError } from '@grapevine/core';

/** @throws GossipError ADDRESS_UNAVAILABLE where this process may use no network */
export function assertNetworkAllowed(): void {
  const { permission, allowedNodeEnvironmentFlags } = process as typeof process & {
    readonly permission?: { has(scope: string): boolean };
  };
  // Before Node.js 25 permissions have no scope for the network, and forbid none.
  if (permission === undefined || !allowedNodeEnvironmentFlags.has('--allow-net') || permission.has('net')) return;
  throw new GossipError(
    'ADDRESS_UNAVAILABLE',
    'this process runs with --permission and without --allow-net, so it can neither listen nor dial: start it with --allow-net',
    { fault: 'caller' },
  );
}
