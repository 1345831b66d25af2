/**
 * Certificates: why one is refused, in words that name the cure, and which names one bears.
 *
 * Invariant: what the other side of a TLS handshake does not tell is not guessed as known; a guess says that it is one.
 *
 * Source: RFC 5280; the codes are those of OpenSSL and Node.js 20.
 */
import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { GossipError, printable } from '@grapevine/core';

interface Failure extends Error {
  readonly code?: string;
}

/** By the code of OpenSSL or Node.js: what was found in the certificate of the peer. */
const found: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it has expired: renew it, or set the clock of this machine',
  CERT_NOT_YET_VALID: 'it is not valid yet: set the clock of this machine, or of the one that issued it',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself, which security.tls.ca here does not list',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not in security.tls.ca here',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not in security.tls.ca here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not in security.tls.ca here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its authority is not in security.tls.ca here',
  CERT_SIGNATURE_FAILURE: 'its signature is not that of the authority in security.tls.ca here',
  CERT_REVOKED: 'it was revoked: give the peer another',
  INVALID_PURPOSE: 'it is not meant for this: give the peer one for clients as well as servers',
};

/** By the code of the alert: what the peer said of our certificate, or of its lack. */
const told: Readonly<Record<string, string>> = {
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the authority of the certificate here is not known there',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'the certificate here has expired: renew it',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'the peer does not take the certificate here',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'the peer does not take the certificate here',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the peer wants a certificate: give security.tls.cert and key',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'the peer wants a certificate, or other ciphers',
};

/** What went wrong with a TLS connection that we dialled; null when it was something else. */
export function dialFailure(url: string, cause: unknown): GossipError | null {
  const { code = '', message } = cause as Failure;
  const sentence =
    found[code] !== undefined
      ? `the certificate of ${url} is refused: ${found[code]}`
      : told[code] !== undefined
        ? `${url} refuses this node: ${told[code]}`
        : code === 'ERR_TLS_CERT_ALTNAME_INVALID'
          ? `the certificate of ${url} is for another name: dial a name that it bears, or issue one for this. ${message}`
          : null;
  if (sentence !== null) return refused(sentence, { url }, cause);
  if (url.startsWith('wss:') && (code === 'ECONNRESET' || code === 'EPIPE' || code === 'EPROTO'))
    return refused(
      `${url} closed the connection in the TLS handshake: perhaps it refuses the certificate of this node, which its log says`,
      { url },
      cause,
    );
  return null;
}

/** What went wrong with a TLS connection that we accepted; null when it may have been a port scan. */
export function acceptFailure(error: Failure, socket: TLSSocket): GossipError | null {
  const known = addressOf(socket);
  const address = known ?? 'an address that is gone';
  const why = socket.authorizationError as unknown as string | Failure | null;
  const defect = typeof why === 'string' ? why : why?.code;
  if (defect !== undefined && defect !== null)
    return refused(
      `the certificate of a dialler at ${address} is refused: ${found[defect] ?? defect}`,
      { address: known },
      error,
    );
  const { code = '' } = error;
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
    return refused(
      `a dialler at ${address} showed no certificate: give it security.tls.cert and key of its own`,
      { address: known },
      error,
    );
  if (told[code] !== undefined)
    return refused(`a dialler at ${address} refuses this node: ${told[code]}`, { address: known }, error);
  if (code === 'ERR_SSL_HTTP_REQUEST')
    return refused(`a dialler at ${address} came in plain ws: to a port of wss:`, { address: known }, error);
  return null;
}

/**
 * Has a connection remember where it comes from: once it is closed nobody knows any more, and TLS tells of it only then.
 * @param below the TCP socket, as the server's event `connection` gives it
 */
export function rememberAddress(below: Socket): void {
  // Reading it keeps it.
  void below.remoteAddress;
}

/** Node.js has no public way from a TLS socket to that below it; without this one the address is only left out. */
function addressOf(socket: TLSSocket & { readonly _parent?: Socket }): string | undefined {
  return socket.remoteAddress ?? socket._parent?.remoteAddress;
}

/** A certificate that a peer has shown and TLS has checked. */
export interface ShownCertificate {
  /** Its DNS names and its common name, as they are printed, hidden characters escaped. For people. */
  readonly printedNames: readonly string[];
  /** Whether it bears this name, as a DNS name or as its common name: exactly, a wildcard bears none. */
  bears(name: string): boolean;
}

/**
 * Rule of Node.js: `subjectaltname` is a text, in which names of all kinds stand behind each other; what would read as another
 * name is quoted. Departure: no name is taken from that text, since Deno quotes nothing; OpenSSL or its like is asked instead.
 *
 * @returns null when the peer has shown none
 */
export function shownCertificate(certificate: PeerCertificate | undefined): ShownCertificate | null {
  if (certificate === undefined || Object.keys(certificate).length === 0) return null;
  const { subject, subjectaltname = '', raw } = certificate;
  const common = [(subject?.CN as string | readonly string[] | undefined) ?? []].flat();
  const alternatives = [...subjectaltname.matchAll(/(?:^|, )DNS:([^,"\s]+)(?=,|$)/g)].map(([, name]) => name as string);
  return {
    printedNames: [...alternatives, ...common].map(printable),
    bears: (name) =>
      common.includes(name) ||
      // A name that begins with a dot would be that of every host below it; what is found then is another text.
      new X509Certificate(raw).checkHost(name, { subject: 'never', wildcards: false }) === name,
  };
}

function refused(message: string, context: Record<string, unknown>, cause: unknown): GossipError {
  return new GossipError('CERTIFICATE_REFUSED', message, { context, cause });
}
