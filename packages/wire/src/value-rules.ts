/**
 * Which values may be gossiped: what every peer, in whatever language, reads back as it was written.
 *
 * Allowed are null, booleans, numbers (NaN and the infinities too), bigints of 64 bits, strings, arrays, plain objects,
 * Maps, valid Dates and Uint8Arrays (Buffers too), up to `maxDepth` inside each other.
 *
 * Invariants
 *  1. One pass, and no garbage unless something is refused: the path is put together on the way out.
 */

import { GossipError } from '@grapevine/core';
import { maxDepth } from './limits.ts';

const { isArray } = Array;
const { getPrototypeOf } = Object;
const LOWEST_INT64 = -(2n ** 63n);
const HIGHEST_UINT64 = 2n ** 64n - 1n;
const HALF_OF_A_PAIR = /\p{Surrogate}/u;
const PLAIN_KEY = /^[A-Za-z_$][\w$]*$/;

/** What is wrong with a value, and where. */
class Refusal {
  readonly #what: string;
  readonly #cure: string;
  /** The container at the depth limit, to tell a cycle from mere depth. */
  readonly #deepest: object | null;
  #path = '';
  #cyclic = false;

  constructor(what: string, cure: string, deepest: object | null = null) {
    this.#what = what;
    this.#cure = cure;
    this.#deepest = deepest;
  }

  /** Notes one step of the way from the value's root down to the fault, the innermost first. */
  within(container: object, step: string): this {
    this.#path = step + this.#path;
    if (container === this.#deepest) {
      this.#cyclic = true;
      this.#path = '';
    }
    return this;
  }

  toError(): GossipError {
    const path = `$${this.#path}`;
    const what = this.#cyclic ? 'contains itself' : this.#what;
    const cure = this.#cyclic ? 'refer to parts by a key of your own' : this.#cure;
    return new GossipError('VALUE_NOT_SERIALISABLE', `The value cannot be gossiped: ${path} ${what}; ${cure}.`, {
      context: { path },
    });
  }
}

/**
 * @param depth in how many containers the value is to stand
 * @throws GossipError VALUE_NOT_SERIALISABLE, with the path and the cure, when the value is not allowed
 */
export function checkValue(value: unknown, depth: number = 0): void {
  const refusal = refusalOf(value, depth);
  if (refusal !== undefined) throw refusal.toError();
}

function refusalOf(value: unknown, depth: number): Refusal | undefined {
  switch (typeof value) {
    case 'string':
      return refusalOfText(value);
    case 'number':
    case 'boolean':
      return undefined;
    case 'object':
      return value === null ? undefined : refusalOfObject(value, depth);
    case 'bigint':
      if (value >= LOWEST_INT64 && value <= HIGHEST_UINT64) return undefined;
      return new Refusal('is a bigint of more than 64 bits', 'send it as a string');
    case 'undefined':
      return new Refusal('is undefined', 'leave it out or use null');
    case 'function':
    case 'symbol':
    default:
      return new Refusal(`is a ${typeof value}`, 'send data only');
  }
}

/** UTF-8 has no half of a pair: it would arrive as another text. */
function refusalOfText(text: string): Refusal | undefined {
  return !HALF_OF_A_PAIR.test(text)
    ? undefined
    : new Refusal('holds half of a surrogate pair', 'send it as a Uint8Array');
}

function refusalOfObject(value: object, depth: number): Refusal | undefined {
  if (depth === maxDepth) return new Refusal(`is nested deeper than ${maxDepth} levels`, 'flatten it', value);
  if (isArray(value)) return refusalInArray(value, depth);
  const prototype: unknown = getPrototypeOf(value);
  // Another realm's plain objects have a root prototype of their own, hence the second look.
  if (prototype === Object.prototype || prototype === null || isRoot(prototype as object)) {
    return refusalInRecord(value as Record<string, unknown>, depth);
  }
  if (prototype === Map.prototype) return refusalInMap(value as Map<unknown, unknown>, depth);
  if (value instanceof Uint8Array) return undefined;
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? new Refusal('is an invalid Date', 'use null') : undefined;
  }
  return new Refusal(
    `is an instance of ${nameOf(prototype as object)}`,
    'make it a plain object, an array, a Map, a Date or a Uint8Array first',
  );
}

function refusalInArray(value: readonly unknown[], depth: number): Refusal | undefined {
  for (let i = 0; i < value.length; i++) {
    const refusal = refusalOf(value[i], depth + 1);
    if (refusal !== undefined) return refusal.within(value, `[${i}]`);
  }
  return undefined;
}

function refusalInRecord(value: Readonly<Record<string, unknown>>, depth: number): Refusal | undefined {
  for (const key in value) {
    const refusal = refusalOfText(key) ?? refusalOf(value[key], depth + 1);
    if (refusal !== undefined) return refusal.within(value, stepOf(key));
  }
  return undefined;
}

function refusalInMap(value: ReadonlyMap<unknown, unknown>, depth: number): Refusal | undefined {
  for (const [key, item] of value) {
    const refusal = refusalOf(key, depth + 1) ?? refusalOf(item, depth + 1);
    if (refusal !== undefined) return refusal.within(value, stepOf(key));
  }
  return undefined;
}

function isRoot(prototype: object): boolean {
  return getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'hasOwnProperty');
}

function stepOf(key: unknown): string {
  if (typeof key !== 'string') return typeof key === 'number' ? `[${key}]` : `[${typeof key} key]`;
  return PLAIN_KEY.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function nameOf(prototype: object): string {
  const { constructor } = prototype;
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'a class';
}
