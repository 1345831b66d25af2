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
import { GossipError, type SecurityOptions, type TransportTls } from '@grapevine/node';

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

/** @throws GossipError OPTIONS_INVALID */
export function securityOf(flags: SecurityFlags): SecurityOptions {
  const keys = flags.keyFile.flatMap(keysIn);
  const tls = tlsOf(flags);
  return {
    ...(keys.length === 0 ? {} : { keys }),
    ...(tls === undefined ? {} : { tls }),
    ...(flags.allowPlaintext === true ? { allowPlaintext: true } : {}),
    ...(flags.insecure === true ? { insecure: true } : {}),
    ...(flags.channelBinding ? {} : { channelBinding: false }),
  };
}

/** Empty lines mean nothing, nor do those that begin with `#`. */
function keysIn(path: string): string[] {
  warnOfReaders('--key-file', path);
  const keys = contentOf('--key-file', path)
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw new GossipError('OPTIONS_INVALID', `--key-file ${path} holds no key: one a line.`);
  return keys;
}

function tlsOf({ tlsCert, tlsKey, tlsCa, tlsClients, tlsNames }: SecurityFlags): TransportTls | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) {
    if (tlsClients === true || tlsNames === true)
      throw new GossipError('OPTIONS_INVALID', '--tls-clients and --tls-names mean nothing without --tls-cert.');
    return undefined;
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new GossipError('OPTIONS_INVALID', '--tls-cert and --tls-key belong together: give both or neither.');
  if (tlsKey !== undefined) warnOfReaders('--tls-key', tlsKey);
  return {
    ...(tlsCert === undefined ? {} : { cert: contentOf('--tls-cert', tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: contentOf('--tls-key', tlsKey) }),
    ...(tlsCa === undefined ? {} : { ca: contentOf('--tls-ca', tlsCa) }),
    ...(tlsClients === true || tlsNames === true ? { requestCert: true } : {}),
    ...(tlsNames === true ? { checkNames: true } : {}),
  };
}

function contentOf(flag: string, path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'it cannot be read';
    throw new GossipError('OPTIONS_INVALID', `${flag} ${path} cannot be read: ${why}.`, { cause });
  }
  if (!isUtf8(bytes))
    throw new GossipError(
      'OPTIONS_INVALID',
      `${flag} ${path} is no text (UTF-8): write keys as text, such as \`openssl rand -hex 32\` makes, and certificates as PEM.`,
    );
  return bytes.toString('utf8');
}

/** Says so where everybody on the machine may read or write a secret. Windows has no such mode. */
function warnOfReaders(flag: string, path: string): void {
  const mode = process.platform === 'win32' ? 0 : (statSync(path, { throwIfNoEntry: false })?.mode ?? 0);
  if ((mode & forEverybody) !== 0)
    process.stderr.write(`warning: everybody on this machine may read or write ${flag} ${path}: chmod 600 ${path}\n`);
}
