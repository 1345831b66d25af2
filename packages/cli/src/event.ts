/**
 * What an agent prints: one line per event.
 *
 * Invariants
 *  1. `node` is always the agent that prints, `at` its wall clock in milliseconds, below a millisecond exact.
 *  2. With `--json` every event is one line of JSON, whatever a value holds.
 */
import { printable } from '@grapevine/core';
import type { GossipStatus, Meta, Refusal } from '@grapevine/node';

/** An id with what it holds. */
export interface PrintedEntry {
  readonly id: string;
  readonly value: unknown;
  /** The node that wrote it. */
  readonly origin: string;
  /** Milliseconds, wall clock. */
  readonly expiresAt?: number | undefined;
  /** Whether it goes with the node that wrote it. */
  readonly ephemeral?: true;
}

interface Common {
  readonly at: number;
  readonly node: string;
}

interface InGossip extends Common {
  readonly gossip: string;
}

export type AgentEvent =
  /** The first line: the node runs. `url` is null without `--listen`. */
  | (Common & { readonly event: 'ready'; readonly url: string | null; readonly pid: number })
  /** All that is here; once at the start, and again when the reader of the output fell far behind. */
  | (InGossip & { readonly event: 'snapshot'; readonly entries: readonly PrintedEntry[] })
  | (InGossip & PrintedEntry & { readonly event: 'update' })
  | (InGossip & { readonly event: 'removed' | 'expired'; readonly id: string; readonly origin: string })
  /** `id` is the node that came, went, or says something else of itself. */
  | (Common & {
      readonly event: 'nodeup' | 'nodedown' | 'nodeleft' | 'nodechanged';
      readonly id: string;
      readonly value: { readonly url: string | null; readonly meta?: Meta };
    })
  /** This node refused another, or was refused; `peer`, `url` and `address` are null where they are not known. */
  | (Common & { readonly event: 'refused' } & Refusal)
  | (InGossip & PrintedEntry & { readonly event: 'deadletter'; readonly error: string })
  /** The answer to `{"status": true}`, one for each gossip. */
  | (InGossip & { readonly event: 'status' } & GossipStatus);

export function showJson(event: AgentEvent): string {
  return JSON.stringify(event, carried);
}

/** Lines for people: nothing that a peer has written moves the cursor of their terminal. */
export function showText(event: AgentEvent): string {
  const lines = [detail(event)].flat().map(printable);
  return `${new Date(event.at).toISOString().slice(11, 23)} ${event.event.padEnd(10)} ${lines.join('\n')}`;
}

function detail(event: AgentEvent): string | string[] {
  switch (event.event) {
    case 'ready':
      return `${event.node} ${event.url === null ? 'does not listen' : `listens on ${event.url}`}`;
    case 'snapshot':
      return [`${event.gossip}: ${event.entries.length} ids`, ...event.entries.map((entry) => `  ${shown(entry)}`)];
    case 'update':
      return `${event.gossip}: ${shown(event)}`;
    case 'removed':
    case 'expired':
      return `${event.gossip}: ${event.id} (${event.origin})`;
    case 'nodeup':
    case 'nodedown':
    case 'nodeleft':
    case 'nodechanged': {
      const { url, meta = {} } = event.value;
      const words = Object.entries(meta).map(([key, value]) => `${key}=${value}`);
      return [event.id, ...(url === null ? [] : [url]), ...words].join(' ');
    }
    case 'deadletter':
      return `${event.gossip}: ${shown(event)}: ${event.error}`;
    case 'refused':
      return `${event.by === 'us' ? 'refuses' : 'is refused by'} ${event.peer ?? event.url ?? event.address ?? 'a node'}: ${event.code}: ${event.message}`;
    case 'status':
      return `${event.gossip}: ${event.ids} ids, ${event.peers} peers, hash ${event.hash}`;
    default:
      return event satisfies never;
  }
}

function shown({ id, value, origin }: PrintedEntry): string {
  return `${id} = ${JSON.stringify(value, carried)} (${origin})`;
}

/** What MessagePack carries and JSON does not. Nothing of a value is called or converted: a peer may have written it. */
function carried(this: unknown, key: string, value: unknown): unknown {
  // A Buffer and a Date have written themselves by now.
  const raw = (this as Readonly<Record<string, unknown>>)[key];
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64');
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Map) return [...value.keys()].some(isObject) ? [...value] : Object.fromEntries(value);
  return value;
}

/** Such a key of a Map has no name: then the Map is shown as its pairs. */
function isObject(key: unknown): boolean {
  return typeof key === 'object' && key !== null;
}
