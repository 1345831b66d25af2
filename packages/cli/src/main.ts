#!/usr/bin/env node
/**
 * The `grapevine` command: what can be asked for, and with which exit code it ends.
 *
 * Invariants
 *  1. 0: done. 1: the world refused (a port in use), or nobody took what was to be delivered. 2: asked wrongly; standard error says everything that was wrong.
 *     3: an agent was refused by its cluster, and was to end then (--exit-if-refused).
 *  2. Nothing is decided here: words become options, and options are judged by who owns them.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { gatherViolations, type Violation } from '@grapevine/core';
import {
  gossipViolations,
  isGossipError,
  type Meta,
  nodeViolations,
  type SecurityOptions,
  type Seed,
  staticMembership,
  swim,
  type SwimOptions,
  type Membership,
} from '@grapevine/node';

import { addAdvise } from './advise.ts';
import { type AgentOptions, runAgent } from './agent.ts';
import { runDemo } from './demo/demo.ts';
import { parseDiscovery } from './discovery.ts';
import { parseDuration } from './duration.ts';
import { type Limits, limits, limitsOf } from './limits.ts';
import { addMembers } from './members.ts';
import { gatherMistakes, Mistakes } from './mistakes.ts';
import { noOptions, parseScalar, protocols, withOption } from './protocol-option.ts';
import { addSecurityFlags, type SecurityFlags, securityOf } from './security.ts';
import { addSimulate } from './simulate.ts';

interface AgentFlags extends SecurityFlags {
  /** Judged as the option of the node that it is. */
  readonly name: string;
  readonly listen?: number;
  readonly host?: string;
  readonly advertise?: string;
  readonly join: readonly string[];
  readonly discover: readonly Seed[];
  readonly meta: Meta;
  readonly swim: Record<string, unknown>;
  readonly peer: readonly string[];
  readonly membership?: 'swim' | 'static';
  readonly stateFile?: string;
  readonly maxConnections?: number;
  readonly limit: Record<string, unknown>;
  readonly gossip: readonly string[];
  readonly protocol: string;
  readonly option: Record<string, unknown>;
  readonly cluster?: string;
  readonly announce?: true;
  readonly maxDriftMs?: number;
  readonly maxUpdateBytes?: number;
  readonly maxFrameBytes?: number;
  readonly forgetAfterMs?: number;
  readonly pingIntervalMs?: number;
  readonly redialMaxMs?: number;
  readonly vitals?: string;
  readonly exitOnEnd?: true;
  readonly exitIfRefused?: true;
  readonly leaveWithin?: number;
  readonly json?: true;
  readonly logLevel: string;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

const collectSource = (value: string, before: readonly Seed[]): readonly Seed[] => {
  const source = parseDiscovery(value);
  if (typeof source === 'string') throw new InvalidArgumentError(source);
  return [...before, source];
};

/** Numbers stay what they were written as where they are none: the owner of the option says what is wrong. */
const scalar = (value: string): number => parseScalar(value) as number;

const pair = (text: string, before: Record<string, unknown>): Record<string, unknown> => {
  const options = withOption(text, before);
  if (options === undefined) throw new InvalidArgumentError('It must be key=value, such as rounds=4.');
  return options;
};

const duration = (text: string): number => {
  const durationMs = parseDuration(text);
  if (durationMs === undefined) throw new InvalidArgumentError('It must be a duration such as 20s, 1m or 500ms.');
  return durationMs;
};

const nodes = (text: string): number => {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 2 || count > 64)
    throw new InvalidArgumentError('It must be a whole number from 2 to 64.');
  return count;
};

/** @throws GossipError OPTIONS_INVALID that lists every mistake */
function agentOptions(flags: AgentFlags, mistakes: Mistakes): AgentOptions {
  const protocol = mistakes.gather(
    () => protocols[flags.protocol]?.(flags.option),
    (path) => `--option ${path}`,
  );
  if (flags.host !== undefined && flags.listen === undefined) mistakes.add('--host does not apply without --listen');
  const listen = flags.listen === undefined ? null : { port: flags.listen, ...given({ host: flags.host }) };
  const readSecurity = (): SecurityOptions => securityOf(flags);
  const security = mistakes.gather(readSecurity, (path) => path);
  const bounds = boundsOf(flags, mistakes);
  const membership = membershipOf(flags, mistakes);
  const node = {
    name: flags.name,
    listen,
    ...given({
      security,
      membership,
      advertise: flags.advertise,
      cluster: flags.cluster,
      maxDriftMs: flags.maxDriftMs,
      maxFrameBytes: flags.maxFrameBytes,
      forgetAfter: flags.forgetAfterMs,
      pingIntervalMs: flags.pingIntervalMs,
      redialMaxMs: flags.redialMaxMs,
      stateFile: flags.stateFile,
    }),
    ...bounds.node,
  };
  const gossips = flags.gossip.length === 0 ? ['grapevine'] : flags.gossip;
  const gossip = {
    ...given({ protocol, announce: flags.announce, maxUpdateBytes: flags.maxUpdateBytes }),
    ...bounds.gossip,
  };
  mistakes.addAll(nodeViolations(node), flagOfNode);
  for (const name of new Set([...gossips, ...(flags.vitals === undefined ? [] : [flags.vitals])]))
    mistakes.addAll(gossipViolations({ ...gossip, name }, node), flagOfGossip);
  mistakes.throwAll();
  return {
    node: { ...node, logger: { level: flags.logLevel } },
    gossips,
    gossip,
    json: flags.json === true,
    exitOnEnd: flags.exitOnEnd === true,
    exitIfRefused: flags.exitIfRefused === true,
    leaveWithinMs: flags.leaveWithin,
    vitals: flags.vitals,
    readSecurity,
  };
}

function membershipOf(flags: AgentFlags, mistakes: Mistakes): Membership | undefined {
  const { membership, join, discover, meta, swim: options, peer } = flags;
  const isStatic = membership === 'static' || (membership === undefined && peer.length > 0);
  const strange = isStatic
    ? {
        '--join': join.length,
        '--discover': discover.length,
        '--meta': Object.keys(meta).length,
        '--swim': Object.keys(options).length,
      }
    : { '--peer': peer.length };
  for (const [flag, count] of Object.entries(strange))
    if (count > 0)
      mistakes.add(
        `${flag} does not apply to ${isStatic ? 'a list of peers (--peer, --membership static)' : '--membership swim'}`,
      );
  if (isStatic) return mistakes.gather(() => staticMembership({ peers: peer }), flagOfMembership);
  const seeds = [...join, ...discover];
  return (
    mistakes.gather(() => swim({ ...(options as Partial<SwimOptions>), seeds, meta }), flagOfMembership) ??
    // What is wrong beside the seeds has been told: the node judges whether they can be dialled.
    gatherViolations([], () => swim({ seeds }))
  );
}

function boundsOf({ maxConnections, limit }: AgentFlags, mistakes: Mistakes): Limits {
  if (maxConnections !== undefined && 'maxConnections' in limit)
    mistakes.add('--max-connections does not apply beside --limit maxConnections: give one');
  const violations: Violation[] = [];
  const bounds = limitsOf({ ...given({ maxConnections }), ...limit }, violations);
  mistakes.addAll(violations, (path) => `--limit ${path}`);
  return bounds;
}

function flagOfMembership(path: string): string {
  if (path.startsWith('seeds')) return '--join';
  if (path.startsWith('peers')) return '--peer';
  return path.startsWith('meta') ? '--meta' : `--swim ${path}`;
}

const flagsOfNode: Readonly<Record<string, string>> = {
  'listen.host': '--host',
  maxDriftMs: '--max-drift-ms',
  maxFrameBytes: '--max-frame-bytes',
  forgetAfter: '--forget-after-ms',
  pingIntervalMs: '--ping-interval-ms',
  redialMaxMs: '--redial-max-ms',
  stateFile: '--state-file',
  maxConnections: '--max-connections',
  'security.keys': '--key-file',
  'security.insecure': '--insecure',
  'security.allowPlaintext': '--allow-plaintext',
  'security.channelBinding': '--no-channel-binding',
  'security.peerAddresses': '--peer-addresses',
};

function flagOfNode(path: string): string {
  if (path.startsWith('membership.')) return flagOfMembership(path.slice('membership.'.length));
  if (path.startsWith('security.tls')) return '--tls-cert, --tls-key or --tls-ca';
  if (path.startsWith('security.keys')) return '--key-file';
  if (limits.includes(path) && path !== 'maxConnections') return `--limit ${path}`;
  return flagsOfNode[path] ?? `--${path}`;
}

function flagOfGossip(path: string): string {
  if (path === 'name') return '--gossip';
  if (path === 'maxUpdateBytes') return '--max-update-bytes';
  return path.startsWith('protocol.') ? `--option ${path.slice('protocol.'.length)}` : `--limit ${path}`;
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what was not given. */
function given<T extends object>(flags: T): Given<T> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as Given<T>;
}

function program(): Command {
  const mistakesOf = new Map<string, Mistakes>();
  const grapevine = new Command('grapevine')
    .description('Gossip between processes: small pieces of state and news, peer to peer, with no broker.')
    .version('0.1.0')
    .showHelpAfterError('(--help says more)');

  addSecurityFlags(grapevine.command('agent'))
    .description('run one node: lines of JSON in on standard input, one line per event out')
    .option('--tls-clients', 'let in only who shows a certificate of these authorities')
    .option('--tls-names', 'and only if it bears the name of the node')
    .option(
      '--peer-addresses <which>',
      "which addresses are dialled that peers alone tell: 'any' (the default) or 'public'",
    )
    .option('--name <name>', 'the name of this node, unique in its cluster; required')
    .option('--listen <port>', 'listen for peers; 0 takes a free port', scalar)
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .option('--advertise <url>', 'the URL told to peers (default: where it listens)')
    .option('--join <url...>', 'nodes to join through; one that lives is enough; may be repeated', collect, [])
    .option(
      '--discover <source>',
      'where to find nodes: dns:NAME:PORT, dns-aaaa:NAME:PORT, srv:NAME or file:PATH; may be repeated',
      collectSource,
      [],
    )
    .addOption(
      new Option('--meta <key=value>', 'what this node says of itself; may be repeated')
        .argParser(pair)
        .default(noOptions(), 'nothing'),
    )
    .addOption(
      new Option('--swim <key=value>', 'an option of the membership, such as profile=local; may be repeated')
        .argParser(pair)
        .default(noOptions(), 'the defaults of swim'),
    )
    .option('--state-file <path>', 'where to remember all members, to find them again at the next start')
    .option('--max-connections <count>', 'the most open connections', scalar)
    .addOption(
      new Option('--limit <key=value>', 'a bound on what peers can make grow, such as maxIds=1000; may be repeated')
        .argParser(pair)
        .default(noOptions(), 'the defaults of the node and its gossips'),
    )
    .option('--peer <url>', 'of a list of all nodes: one to dial, for ever; may be repeated', collect, [])
    .addOption(
      new Option('--membership <name>', 'how nodes find each other (default: static with --peer, else swim)').choices([
        'swim',
        'static',
      ]),
    )
    .option('--cluster <label>', 'talk only to nodes of the same label (default: "default")')
    .option('--gossip <name>', 'a gossip to take part in; may be repeated (default: "grapevine")', collect, [])
    .addOption(
      new Option('--protocol <name>', 'how its updates spread').choices(Object.keys(protocols)).default('hybrid'),
    )
    .addOption(
      new Option(
        '--option <key=value>',
        'an option of the protocol, such as rounds=4 or rumor.rounds=4; may be repeated',
      )
        .argParser(pair)
        .default(noOptions(), 'the defaults of the protocol'),
    )
    .option('--announce', 'write nodes that come and go as updates')
    .option('--max-drift-ms <ms>', 'how far ahead of the clock here an update may be stamped', scalar)
    .option('--max-update-bytes <bytes>', 'the largest id and value together', scalar)
    .option('--max-frame-bytes <bytes>', 'the largest frame on a connection', scalar)
    .option('--forget-after-ms <ms>', 'when nodes that are long gone are forgotten', scalar)
    .option('--ping-interval-ms <ms>', 'after how long a silent peer is pinged', scalar)
    .option('--redial-max-ms <ms>', 'the longest wait between two dials of a peer', scalar)
    .option('--vitals <gossip>', 'write the vital signs of this process into this gossip once a second')
    .option('--exit-on-end', 'leave when standard input ends; exit code 1 if no other node has what was written')
    .option(
      '--exit-if-refused',
      'leave with exit code 3 when the cluster refuses this node or another living node has its name; say ready only once it has joined',
    )
    .addOption(
      new Option(
        '--leave-within <duration>',
        'how long leaving waits for others to have what was written, such as 30s (default: 5s)',
      ).argParser(duration),
    )
    .option('--json', 'print events as JSON')
    .addOption(
      new Option('--log-level <level>', 'what the log on standard error holds')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .default('warn'),
    )
    .action(async (flags: AgentFlags) => {
      process.exitCode = await runAgent(agentOptions(flags, mistakesOf.get('agent') ?? new Mistakes()));
    });

  grapevine
    .command('demo')
    .description('start some nodes, watch them gossip, kill one, and see it catch up')
    .option('--nodes <count>', 'how many processes', nodes, 5)
    .addOption(
      new Option('--for <duration>', 'how long, such as 20s, 1m or 500ms').argParser(duration).default(20_000, '20s'),
    )
    .option('--json', 'print nothing but the result, as one object')
    .action(async (flags: { readonly nodes: number; readonly for: number; readonly json?: true }) => {
      const passed = await runDemo({ nodes: flags.nodes, forMs: flags.for, json: flags.json === true });
      process.exitCode = passed ? 0 : 1;
    });

  addMembers(grapevine);
  addSimulate(grapevine);
  addAdvise(grapevine);

  for (const command of [grapevine, ...grapevine.commands]) command.exitOverride();
  for (const command of grapevine.commands) {
    const mistakes = gatherMistakes(command);
    mistakesOf.set(command.name(), mistakes);
    // An agent adds what the library finds wrong with its options.
    if (command.name() !== 'agent') command.hook('preAction', () => mistakes.throwAll());
  }
  return grapevine;
}

/** @returns the exit code */
function failure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const known = isGossipError(error);
  process.stderr.write(`${known ? error.message : String((error as Error).stack ?? error)}\n`);
  return known && error.code === 'OPTIONS_INVALID' ? 2 : 1;
}

try {
  await program().parseAsync();
} catch (error) {
  process.exitCode = failure(error);
}
// What is still open by now (an input that cannot be closed, a dial under way) has nothing more to say.
process.exit();
