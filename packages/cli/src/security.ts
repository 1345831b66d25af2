/**
 * `--key-file`, `--tls-…`, `--no-channel-binding` and `--insecure`: files named on the command line as the option `security`.
 *
 * Invariants
 *  1. A key stands in files alone: an argument would be in the list of processes for everybody to read.
 *  2. What is read from a file is never part of a complaint; its path, its line and what is wrong are.
 *  3. Read again, the same files give what they hold then, or one complaint that leaves everything as it was.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { throwViolations, type Violation } from '@grapevine/core';
import type { SecurityOptions, TransportTls } from '@grapevine/node';

export interface SecurityFlags {
  readonly keyFile: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly tlsClients?: true;
  readonly tlsNames?: true;
  readonly allowPlaintext?: true;
  readonly insecure?: true;
  readonly channelBinding: boolean;
  readonly peerAddresses?: string;
}

/** The bits of a mode by which others than the owner and its group read or write a file. */
const forEverybody = 0o006;

/** Adds the flags that all who connect have. */
export function addSecurityFlags(command: Command): Command {
  return command
    .option(
      '--key-file <path>',
      'keys of the cluster, one a line, the first to prove this node with; may be repeated',
      (path: string, before: readonly string[]) => [...before, path],
      [],
    )
    .option('--tls-cert <path>', 'the certificate of this node, with its chain (PEM)')
    .option('--tls-key <path>', 'the private key of the certificate (PEM)')
    .option('--tls-ca <path>', 'the authorities whose certificates are taken (PEM; default: those of Node.js)')
    .option(
      '--no-channel-binding',
      'take proofs of keys that are not bound to the TLS connection: on all nodes, or on none',
    )
    .option('--allow-plaintext', 'with TLS: also dial ws: URLs of other machines, while a cluster is moved to TLS')
    .option('--insecure', 'speak ws: with other machines without keys: whoever reaches the port takes part');
}

/** @throws GossipError OPTIONS_INVALID that lists every violation */
export function securityOf(flags: SecurityFlags): SecurityOptions {
  const violations: Violation[] = [];
  const keys = flags.keyFile.flatMap((path) => keysIn(path, violations));
  const tls = tlsOf(flags, violations);
  throwViolations(violations);
  return {
    ...(keys.length === 0 ? {} : { keys }),
    ...(tls === undefined ? {} : { tls }),
    ...(flags.allowPlaintext === true ? { allowPlaintext: true } : {}),
    ...(flags.insecure === true ? { insecure: true } : {}),
    ...(flags.channelBinding ? {} : { channelBinding: false }),
    // Judged by the library, which names the option.
    ...(flags.peerAddresses === undefined ? {} : { peerAddresses: flags.peerAddresses as 'any' | 'public' }),
  };
}

/** Empty lines mean nothing, nor do those that begin with `#`. */
function keysIn(path: string, violations: Violation[]): string[] {
  warnOfReaders('--key-file', path);
  const content = contentOf('--key-file', path, violations);
  if (content === undefined) return [];
  const keys = content
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) violations.push({ path: `--key-file ${path}`, problem: 'holds no key: one a line' });
  return keys;
}

function tlsOf(
  { tlsCert, tlsKey, tlsCa, tlsClients, tlsNames }: SecurityFlags,
  violations: Violation[],
): TransportTls | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) {
    for (const [path, given] of Object.entries({ '--tls-clients': tlsClients, '--tls-names': tlsNames }))
      if (given === true) violations.push({ path, problem: 'does not apply without --tls-cert' });
    return undefined;
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    violations.push({ path: '--tls-cert', problem: 'belongs together with --tls-key: give both or neither' });
  if (tlsKey !== undefined) warnOfReaders('--tls-key', tlsKey);
  const cert = tlsCert === undefined ? undefined : contentOf('--tls-cert', tlsCert, violations);
  const key = tlsKey === undefined ? undefined : contentOf('--tls-key', tlsKey, violations);
  const ca = tlsCa === undefined ? undefined : contentOf('--tls-ca', tlsCa, violations);
  return {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
    ...(tlsClients === true || tlsNames === true ? { requestCert: true } : {}),
    ...(tlsNames === true ? { checkNames: true } : {}),
  };
}

function contentOf(flag: string, path: string, violations: Violation[]): string | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'the cause is unknown';
    violations.push({ path: `${flag} ${path}`, problem: `cannot be read: ${why}` });
    return undefined;
  }
  if (!isUtf8(bytes)) {
    const problem =
      'is no text (UTF-8): write keys as text, such as `openssl rand -hex 32` makes, and certificates as PEM';
    violations.push({ path: `${flag} ${path}`, problem });
    return undefined;
  }
  return bytes.toString('utf8');
}

/** Says so where everybody on the machine may read or write a secret. Windows has no such mode. */
function warnOfReaders(flag: string, path: string): void {
  const mode = process.platform === 'win32' ? 0 : (statSync(path, { throwIfNoEntry: false })?.mode ?? 0);
  if ((mode & forEverybody) !== 0)
    process.stderr.write(`warning: everybody on this machine may read or write ${flag} ${path}: chmod 600 ${path}\n`);
}
