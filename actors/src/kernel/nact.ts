/**
 * The one file that knows nact. nact gives an actor its address: a place in the tree of the user's system, that the
 * user's own `dispatch` and `stop` find. Turns, mailboxes and supervision are ours; see docs/adr/0001 and 0002.
 *
 * Invariants
 *  1. No function of ours can throw or reject inside nact: what nact calls only forwards to a `Resident`.
 *  2. One nact actor serves one place in the tree from its start to its end. It is never reset and never spawned again.
 *  3. Stops are seen: of the actor itself, and of each of its ancestors, though nact tells children nothing.
 *  4. Where nact's insides are not as expected, its plain delivery carries the messages, one per event-loop turn, and
 *     of stops only that of the actor itself is seen.
 *
 * Source: nact 7.6.2, lib/actor.js, lib/system.js and lib/system-map.js.
 */

import { GossipError } from '@grapevine/core';
import * as nactModule from 'nact';
import type { Ref } from 'nact';
// @ts-expect-error: nact publishes no types for its register of systems.
import register from 'nact/lib/system-map.js';

import type { Cancel } from './clock.ts';
import { nameFor } from './names.ts';

export type { Ref } from 'nact';

// Named imports of a CommonJS module need a lexer that Node.js 20.19 cannot run under --disallow-code-generation-from-strings.
const { default: nact = nactModule } = nactModule as { readonly default?: typeof nactModule };
const { dispatch, spawn, start, stop } = nact;

/** Starts an actor system of our own. */
export function startSystem(): Ref<never> {
  return start();
}

/** What lives behind an address of ours. */
export interface Resident {
  /** A message came by nact's `dispatch`. @returns whether it was accepted */
  post(message: unknown): boolean;
  /** nact's `stop` was called on this address. It may be called again, also after `release`. */
  stopRequested(): void;
}

export interface Address {
  readonly ref: Ref<never>;
  readonly path: string;
  /** Gives the place in nact's tree back. */
  readonly release: () => void;
}

/** What a nact reference is at run time. All of it is checked before it is believed. */
interface Reference {
  readonly system?: { readonly name?: string };
  readonly path?: { toString(): string };
}

/** A nact actor or a nact system, as far as we touch one. */
interface Concrete {
  parent?: Concrete;
  dispatch(message: unknown): void;
  stop(): void;
  handleFault?(message: unknown, sender: unknown, error: unknown, child?: unknown): unknown;
}

/** The part of a nact system that `query` uses, and we for the answers to `ask`. */
interface ConcreteSystem {
  addTempReference(reference: { id: unknown }, deferral: { resolve: (answer: unknown) => void }): void;
  removeTempReference(reference: { id: unknown }): void;
}

const systems = register as { find(systemName: string, reference?: unknown): unknown };

function find(ref: Ref<never>): Concrete | undefined {
  const systemName = (ref as Reference | undefined)?.system?.name;
  return systemName === undefined ? undefined : (systems.find(systemName, ref) as Concrete | undefined);
}

/** Whether nact can still deliver to this reference. */
export function isReachable(ref: Ref<never>): boolean {
  return find(ref) !== undefined;
}

/** Sends a message to a user's nact actor, by nact's own delivery. Nothing happens when that actor is gone. */
export function tellRef<M>(ref: Ref<M>, message: NoInfer<M>): void {
  if (find(ref) !== undefined) dispatch(ref, message);
}

/** Stops an actor of the user's, as nact does: at once, and with no word to its children. */
export function stopRef(ref: Ref<never>): void {
  if (find(ref) !== undefined) stop(ref);
}

export interface ClaimOptions {
  /** Raw: it is encoded here. */
  readonly name: string;
  /** Whether a user's `dispatch` goes straight to the resident. @default true */
  readonly direct?: boolean;
}

/**
 * Takes a place in nact's tree.
 * @throws GossipError NACT_MISMATCH when our copy of nact does not know the parent, ACTOR_NAME_TAKEN when it has such a child;
 *   state unchanged
 */
export function claimAddress(parent: Ref<never>, resident: Resident, { name, direct = true }: ClaimOptions): Address {
  if (find(parent) === undefined) throw unknownParent(parent);
  let ref: Ref<never>;
  try {
    ref = spawn(parent, (_state: unknown, message: unknown) => void resident.post(message), nameFor(name), {
      afterStop: () => resident.stopRequested(),
    });
  } catch (cause) {
    throw new GossipError(
      'ACTOR_NAME_TAKEN',
      `There is already a child named ${JSON.stringify(name)} under ${String((parent as Reference).path)}: stop it first, or choose another name.`,
      {
        context: { name },
        cause,
      },
    );
  }
  const concrete = find(ref);
  const path = String((ref as Reference).path);
  if (!direct || !hasExpectedShape(concrete)) return { ref, path, release: () => stopRef(ref) };
  const nactStop = concrete.stop.bind(concrete);
  concrete.dispatch = (message) => void resident.post(message);
  concrete.stop = () => resident.stopRequested();
  return { ref, path, release: nactStop };
}

function hasExpectedShape(concrete: Concrete | undefined): concrete is Concrete {
  return typeof concrete?.dispatch === 'function' && typeof concrete.stop === 'function';
}

function unknownParent(parent: Ref<never>): GossipError {
  const path = (parent as Reference | undefined)?.path?.toString() ?? 'that was given';
  return new GossipError(
    'NACT_MISMATCH',
    `The parent ${path} is unknown to the copy of nact that Grapevine loaded. Either two copies of nact are installed, ` +
      'which do not see each other’s actors (see `npm ls nact`; depend on exactly nact 7.6.2 once, then `npm dedupe`), ' +
      'or that parent was already stopped (spawn under one that lives).',
    { context: { parent: path } },
  );
}

/** Names that a second system took while the first one lived. */
const takenOver = new Set<string>();
const takeOverListeners = new Map<string, Set<() => void>>();

/**
 * Rule of nact: systems are found by name, and a second one of the same name takes the place of the first. Every message to an
 * actor of the first then reaches nobody, or a stranger at the same path. nact says nothing; what registers is watched instead.
 */
function watchRegister(): void {
  const registry = register as { add(system: { readonly name: string }): void };
  const add = registry.add.bind(registry);
  registry.add = (system) => {
    const former = systems.find(system.name);
    add(system);
    if (former === undefined || former === system) return;
    takenOver.add(system.name);
    for (const listener of takeOverListeners.get(system.name) ?? []) listener();
  };
}

watchRegister();

function systemNameOf(ref: Ref<never>): string {
  return (ref as Reference).system?.name ?? '';
}

/** Whether this process has started two systems of the name of this one, of which the first was not stopped. */
export function isTakenOver(ref: Ref<never>): boolean {
  return takenOver.has(systemNameOf(ref));
}

/** Hears when a second system takes the name of the one in which an actor lives. */
export function onTakeOver(ref: Ref<never>, listener: () => void): Cancel {
  const name = systemNameOf(ref);
  const listeners = takeOverListeners.get(name) ?? new Set();
  takeOverListeners.set(name, listeners);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && takeOverListeners.get(name) === listeners) takeOverListeners.delete(name);
  };
}

const stopListeners = new WeakMap<Concrete, Set<() => void>>();

/**
 * Hears of the stop of an actor or of any ancestor of it, as soon as nact is asked for it: nact itself would tell only
 * the one that is stopped, and leave those below it running where nobody can reach them.
 */
export function onNactStop(ref: Ref<never>, listener: () => void): Cancel {
  const hooked: Set<() => void>[] = [];
  for (let actor = find(ref); actor !== undefined && hasExpectedStop(actor); actor = actor.parent) {
    const listeners = stopListeners.get(actor) ?? hookStop(actor);
    listeners.add(listener);
    hooked.push(listeners);
  }
  return () => {
    for (const listeners of hooked) listeners.delete(listener);
  };
}

/** The hook stays for as long as the actor does: an empty set costs it nothing, and unhooking could undo another's. */
function hookStop(actor: Concrete): Set<() => void> {
  const listeners = new Set<() => void>();
  const nactStop = actor.stop.bind(actor);
  actor.stop = () => {
    nactStop();
    for (const listener of listeners) listener();
  };
  stopListeners.set(actor, listeners);
  return listeners;
}

function hasExpectedStop(actor: Concrete): boolean {
  return typeof actor.stop === 'function';
}

/**
 * @param message what the actor threw on
 * @param decided settles when the actor's `onCrash` has decided and nact has done so: the actor may have been stopped
 */
export type FaultListener = (message: unknown, error: unknown, decided: Promise<unknown>) => void;

const faultListeners = new WeakMap<Concrete, Set<FaultListener>>();

/** Hears of each throw of a user's actor, before its `onCrash` does; nact tells only that. Not of those of its children. */
export function onNactFault(ref: Ref<never>, listener: FaultListener): Cancel {
  const actor = find(ref);
  if (typeof actor?.handleFault !== 'function') return () => {};
  const listeners = faultListeners.get(actor) ?? hookFault(actor);
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** As `hookStop`. */
function hookFault(actor: Concrete): Set<FaultListener> {
  const listeners = new Set<FaultListener>();
  const nactFault = (actor.handleFault as (...args: unknown[]) => unknown).bind(actor);
  actor.handleFault = (message, sender, error, child) => {
    const decided = Promise.resolve(nactFault(message, sender, error, child));
    const settled = decided.catch(() => undefined);
    if (child === undefined) for (const listener of listeners) listener(message, error, settled);
    // Of its own: a rejection of `onCrash` stays as unhandled as it was.
    return decided.then((done) => done);
  };
  faultListeners.set(actor, listeners);
  return listeners;
}

let replies = 0;

/**
 * A reference that takes one answer: nact's `dispatch` to it calls `take`. It lives in the system of the actor that is
 * asked. nact numbers its own at random in 32 bits, which can collide; ours are text, and count up.
 */
export function claimReply(asked: Ref<never>, take: (answer: unknown) => void): Address {
  const systemName = (asked as Reference).system?.name ?? '';
  const system = systems.find(systemName) as Partial<ConcreteSystem> | undefined;
  replies += 1;
  const ref = { type: 'temp', id: `reply-${replies}`, system: { name: systemName } };
  system?.addTempReference?.(ref, { resolve: take });
  return { ref, path: ref.id, release: () => system?.removeTempReference?.(ref) };
}
