/**
 * Cluster keys: what a person writes down, as what a node proves itself with.
 *
 * Invariants
 *  1. A key is never shown: no message, context or log bears one or a part of one; a violation names its place in the list.
 *  2. One text means one key on every node: hexadecimal where it can be read so, else base64, else the text itself.
 *
 * Source: RFC 2104, section 3: a key of HMAC has at least the length that shall be as hard to guess.
 */
import { createHash, createSecretKey, KeyObject } from 'node:crypto';
import type { Violation } from '@grapevine/core';

/**
 * A secret that all nodes of a cluster share: random bytes, their hexadecimal or base64 text (`openssl rand -hex 32`), or
 * any other text that nobody can guess.
 */
export type KeyMaterial = string | Uint8Array | KeyObject;

export const minKeyBytes = 16;
/** A bound for what is read from files and messages; HMAC hashes what is longer than 64. */
const maxKeyBytes = 1024;
/** How many may be listed: each costs a hash for every handshake. */
export const maxKeys = 16;
/** Below so many different bytes it is no random key but a pattern. 16 random bytes have fewer once in 10^12 times. */
const minDistinctBytes = 8;
/** Zeros at the end add nothing to a key of HMAC. A random key ends with more than these once in 10^7 times. */
const maxZeros = 2;
/** A block of SHA-256, in bytes. */
const blockBytes = 64;

/** Reads a list of keys; what is wrong is added to `violations`, under `path`. */
export function readKeys(given: unknown, path: string, violations: Violation[]): readonly KeyObject[] {
  if (!Array.isArray(given) || given.length === 0 || given.length > maxKeys) {
    violations.push({ path, problem: `must be a list of 1 to ${maxKeys} keys, the one to prove this node with first` });
    return [];
  }
  const keys: KeyObject[] = [];
  for (const [index, material] of (given as readonly unknown[]).entries()) {
    const key = readKey(material);
    if (typeof key === 'string') violations.push({ path: `${path}[${index}]`, problem: key });
    else if (keys.some((other) => other.equals(key)))
      violations.push({ path: `${path}[${index}]`, problem: 'is listed before' });
    else if (keys.some((other) => effectiveOf(other).equals(effectiveOf(key))))
      violations.push({
        path: `${path}[${index}]`,
        problem: 'is the same key for HMAC as one before it, with zeros behind it or hashed: list one of them',
      });
    else keys.push(key);
  }
  return keys;
}

/** @returns the key, or what is wrong with it */
function readKey(material: unknown): KeyObject | string {
  if (material instanceof KeyObject) {
    if (material.type !== 'secret') return `must be a secret key of at least ${minKeyBytes} bytes`;
    const exported = material.export();
    const defect = defectOf(exported);
    exported.fill(0);
    return defect ?? material;
  }
  if (typeof material === 'string' && (material.includes('\ufffd') || /\p{Cs}/u.test(material)))
    return 'is no text: it was read from bytes that are not UTF-8. Give the bytes, or a text: `openssl rand -hex 32` makes one';
  if (typeof material !== 'string' && !(material instanceof Uint8Array)) return 'must be a text or bytes';
  const bytes = typeof material === 'string' ? bytesOf(material) : Buffer.from(material);
  // Both are our own copies.
  const key = defectOf(bytes) ?? createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

/** @returns what is wrong with the bytes of a key; null when nothing is */
function defectOf(bytes: Buffer): string | null {
  if (bytes.length < minKeyBytes || bytes.length > maxKeyBytes)
    return `must have ${minKeyBytes} to ${maxKeyBytes} bytes: \`openssl rand -hex 32\` makes one`;
  const isPattern = new Set(bytes).size < minDistinctBytes || lengthWithoutZeros(bytes) < minKeyBytes - maxZeros;
  return isPattern ? 'must be random, and this one is a pattern: `openssl rand -hex 32` makes one' : null;
}

/** What HMAC makes of a key: one that is longer than a block is hashed, and zeros fill the block. */
function effectiveOf(key: KeyObject): Buffer {
  const bytes = key.export();
  const effective = bytes.length > blockBytes ? createHash('sha256').update(bytes).digest() : bytes;
  return effective.subarray(0, lengthWithoutZeros(effective));
}

function lengthWithoutZeros(bytes: Uint8Array): number {
  let { length } = bytes;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}

function bytesOf(text: string): Buffer {
  const trimmed = text.trim();
  if (/^([0-9a-f]{2})+$/i.test(trimmed)) return Buffer.from(trimmed, 'hex');
  const decoded = Buffer.from(trimmed, 'base64');
  const isBase64 = decoded.length >= minKeyBytes && decoded.toString('base64') === trimmed;
  return isBase64 ? decoded : Buffer.from(trimmed, 'utf8');
}
