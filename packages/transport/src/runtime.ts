/**
 * The runtime: what Bun and Deno do not give of what Node.js gives, and this package uses.
 *
 * Invariant: nothing here makes up for what is lacking. An option that needs it is refused at the start, with the cure.
 *
 * Source: docs/runtimes.md, measured with Bun 1.4 and Deno 2.9.
 */
import { TLSSocket } from 'node:tls';

export interface Runtime {
  /** For people, such as `Deno 2.9.6`. */
  readonly name: string;
  /** Whether both ends of a TLS connection can have the keying material that is unique to it (RFC 9266). */
  readonly exportsKeyingMaterial: boolean;
  /** Whether both ends of a TLS connection can read the certificate that the other has shown. */
  readonly readsCertificates: boolean;
  /** Whether a dial resolves names as it is told to. */
  readonly takesLookup: boolean;
  /** Whether the stream below a WebSocket is its own: it gathers writes, and tells when they have left. */
  readonly hasStreams: boolean;
}

const { bun, deno, node } = process.versions;
// Bun has `exportKeyingMaterial`, but the streams of its HTTPS server are no TLSSocket, and those of its clients are hidden.
const isBun = bun !== undefined;

export const thisRuntime: Runtime = {
  name: isBun ? `Bun ${bun}` : deno === undefined ? `Node.js ${node}` : `Deno ${deno}`,
  exportsKeyingMaterial: !isBun && typeof TLSSocket.prototype.exportKeyingMaterial === 'function',
  readsCertificates: !isBun,
  takesLookup: !isBun,
  hasStreams: !isBun,
};
