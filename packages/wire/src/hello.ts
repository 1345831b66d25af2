/**
 * The hello: what two nodes tell each other before anything else, as the first frame each way.
 *
 * On the wire it is one MessagePack array:
 * `[0, lowest version, highest version, cluster, name, epoch, url or nil, [capability, …], nonce or nil, largest frame]`.
 *
 * Invariants
 *  1. Nothing of a peer's hello is believed before it was checked by hand; what does not fit is a sentence, never a throw.
 *  2. Fields behind the known ones are ignored, so a newer node can say more to an older one.
 *
 * Source: docs/wire.md.
 */
import { hasHidden, isPlainUrl } from '@grapevine/core';
import { hasBrokenText, skipValue } from './well-formed.ts';
import { Packr } from 'msgpackr/index-no-eval';

/** The versions of the protocol that one node speaks, both ends included. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

export interface Hello {
  readonly versions: VersionRange;
  /** Only nodes of the same label talk to each other. */
  readonly cluster: string;
  /** The stable name of the node, unique in its cluster. */
  readonly name: string;
  /** New and higher at every start of the node. */
  readonly epoch: number;
  /** Where the node can be dialled; null when it only dials. */
  readonly url: string | null;
  /** What the node can do beyond the version, as short names; unknown ones are ignored. */
  readonly capabilities: readonly string[];
  /** Fresh random bytes, `nonceBytes` of them, from a node that proves itself by a key and wants as much; absent from others. */
  readonly nonce?: Uint8Array;
  /** The largest frame that the node takes, in bytes; absent from older nodes, which do not say. */
  readonly maxFrameBytes?: number;
}

export type DecodedHello = { readonly hello: Hello } | { readonly problem: string };

/** What this package speaks. Version 2 seals frames where nodes have keys and no TLS that the proof is bound to. */
export const protocolVersions: VersionRange = { min: 1, max: 2 };

/** From this version on, frames are sealed where the proof is bound to no TLS connection. */
export const sealingVersion = 2;

/** A hello longer than this, in bytes, is not even decoded. */
export const maxHelloBytes = 8192;

/** Every node takes frames of so many bytes: a hello that says less is malformed. */
export const leastFrameBytes: number = 16 * 1024;

/** The length of a nonce: long enough that none ever comes twice. */
export const nonceBytes = 32;

const helloKind = 0;
const maxLabelBytes = 128;
const maxUrlBytes = 2048;
const maxCapabilities = 64;
const maxCapabilityBytes = 64;

const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'number' });

/** The bytes of a hello, in memory of their own. The caller has checked the fields with `helloProblems`. */
export function encodeHello(hello: Hello): Uint8Array {
  const { versions, cluster, name, epoch, url, capabilities, nonce, maxFrameBytes } = hello;
  const fields: unknown[] = [helloKind, versions.min, versions.max, cluster, name, epoch, url, capabilities];
  if (nonce !== undefined) fields.push(Buffer.from(nonce));
  else if (maxFrameBytes !== undefined) fields.push(null);
  if (maxFrameBytes !== undefined) fields.push(maxFrameBytes);
  // `pack` answers a view of a buffer that the next call overwrites, hence the copy.
  return Uint8Array.from(packr.pack(fields));
}

/** Reads a peer's first frame. Whatever the bytes are, it answers a checked hello or the sentence that says what is wrong. */
export function decodeHello(frame: Uint8Array): DecodedHello {
  if (frame.length > maxHelloBytes)
    return { problem: `the hello has ${frame.length} bytes, at most ${maxHelloBytes} are allowed` };
  const fields = unpack(frame);
  if (!Array.isArray(fields) || fields[0] !== helloKind)
    return { problem: 'the first frame is no hello, or has a text that is not UTF-8' };
  const [, min, max, cluster, name, epoch, url, capabilities] = fields as readonly unknown[];
  const [nonce, maxFrameBytes] = fields.slice(8, 10).map((field: unknown) => field ?? undefined);
  const problems = helloProblems({
    versions: { min, max },
    cluster,
    name,
    epoch,
    url,
    capabilities,
    nonce,
    maxFrameBytes,
  });
  if (problems.length > 0) return { problem: problems.map(({ path, right }) => `${path} must be ${right}`).join('; ') };
  const hello = {
    ...({ versions: { min, max }, cluster, name, epoch, url, capabilities } as Hello),
    // A copy: what came is a view of the frame.
    ...(nonce === undefined ? {} : { nonce: Uint8Array.from(nonce as Uint8Array) }),
    ...(maxFrameBytes === undefined ? {} : { maxFrameBytes: maxFrameBytes as number }),
  };
  return { hello };
}

export interface HelloProblem {
  readonly path: string;
  readonly value: unknown;
  /** What would be right. */
  readonly right: string;
}

/** Checks every field; empty when all is well. Serves the peer's hello and our own options alike. */
export function helloProblems(hello: { readonly [field in keyof Hello]: unknown }): HelloProblem[] {
  const { cluster, name, epoch, url, capabilities, nonce, maxFrameBytes } = hello;
  const { min, max } = (hello.versions ?? {}) as { readonly min?: unknown; readonly max?: unknown };
  const problems: HelloProblem[] = [];
  const check = (fits: boolean, path: string, value: unknown, right: string): void => {
    if (!fits) problems.push({ path, value, right });
  };
  check(
    isCount(min) && isCount(max) && min >= 1 && min <= max,
    'versions',
    hello.versions,
    'two whole numbers from 1, the lower first',
  );
  check(isLabel(cluster, maxLabelBytes), 'cluster', cluster, labelRule(maxLabelBytes));
  check(isLabel(name, maxLabelBytes), 'name', name, labelRule(maxLabelBytes));
  check(isCount(epoch), 'epoch', epoch, 'a whole number from 0 to 2^53 - 1');
  check(
    url === null || (isLabel(url, maxUrlBytes) && URL.canParse(url) && isPlainUrl(url)),
    'url',
    url,
    'a URL of scheme, host and port alone (the path may be / or /grapevine), or null',
  );
  check(
    Array.isArray(capabilities) &&
      capabilities.length <= maxCapabilities &&
      capabilities.every((one) => isLabel(one, maxCapabilityBytes)),
    'capabilities',
    capabilities,
    `at most ${maxCapabilities} strings, each ${labelRule(maxCapabilityBytes)}`,
  );
  check(
    nonce === undefined || (nonce instanceof Uint8Array && nonce.length === nonceBytes),
    'nonce',
    nonce,
    `${nonceBytes} bytes of binary, or nothing`,
  );
  check(
    maxFrameBytes === undefined || (isCount(maxFrameBytes) && maxFrameBytes >= leastFrameBytes),
    'maxFrameBytes',
    maxFrameBytes,
    `a whole number of bytes from ${leastFrameBytes}, or nothing`,
  );
  return problems;
}

/** The highest version that both speak, or null when there is none. */
export function chooseVersion(ours: VersionRange, theirs: VersionRange): number | null {
  const highest = Math.min(ours.max, theirs.max);
  return highest >= Math.max(ours.min, theirs.min) ? highest : null;
}

/** What a stranger sends is checked before it is built: no records, no extension, no declared giant. */
function unpack(frame: Uint8Array): unknown {
  if (skipValue(frame, 0, frame.length) !== frame.length || hasBrokenText(frame)) return undefined;
  try {
    return packr.unpack(frame);
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Characters that cannot be seen are refused because these strings end in logs and in terminals. */
function isLabel(value: unknown, maxBytes: number): value is string {
  return typeof value === 'string' && value !== '' && !hasHidden(value) && Buffer.byteLength(value) <= maxBytes;
}

function labelRule(maxBytes: number): string {
  return `a string of 1 to ${maxBytes} bytes without control characters, separators of lines and invisible characters`;
}
