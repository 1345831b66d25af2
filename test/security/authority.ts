/**
 * Certificates for tests: an authority of its own for each, made on the spot, with whatever dates and names a test wants.
 *
 * Node.js reads X.509 but does not write it, so this writes the few structures that are needed.
 *
 * Source: RFC 5280 (X.509), RFC 5480 (keys on elliptic curves), X.690 (DER).
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface Credentials {
  readonly key: string;
  readonly cert: string;
}

export interface CertificateOptions {
  /** The common name. */
  readonly name: string;
  /** @default localhost */
  readonly dns?: readonly string[];
  /** IPv4. @default 127.0.0.1 */
  readonly addresses?: readonly string[];
  /** From when to when it is valid, in days from now. @default -1 to 30 */
  readonly days?: readonly [number, number];
}

export class Authority {
  /** The certificate of the authority itself, to be trusted. */
  readonly ca: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name: string = 'authority for tests') {
    this.#name = name;
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#key = privateKey;
    this.ca = this.#certificate({ name, publicKey, days: [-1, 3650], extensions: [basicConstraintsOfAnAuthority] });
  }

  issue({ name, dns = ['localhost'], addresses = ['127.0.0.1'], days = [-1, 30] }: CertificateOptions): Credentials {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const names = [
      ...dns.map((each) => der(0x82, Buffer.from(each, 'ascii'))),
      ...addresses.map((each) => der(0x87, Buffer.from(each.split('.').map(Number)))),
    ];
    const alternatives = sequence(oid('551d11'), der(0x04, sequence(...names)));
    const extensions = names.length === 0 ? [] : [alternatives];
    const cert = this.#certificate({ name, publicKey, days, extensions });
    return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, cert };
  }

  #certificate({
    name,
    publicKey,
    days: [from, to],
    extensions,
  }: {
    readonly name: string;
    readonly publicKey: KeyObject;
    readonly days: readonly [number, number];
    readonly extensions: readonly Buffer[];
  }): string {
    const signed = sequence(
      der(0xa0, der(0x02, Buffer.of(2))),
      der(0x02, Buffer.concat([Buffer.of(1), randomBytes(15)])),
      ecdsaWithSha256,
      distinguishedName(this.#name),
      sequence(timeOf(from), timeOf(to)),
      distinguishedName(name),
      publicKey.export({ type: 'spki', format: 'der' }),
      ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
    );
    const signature = der(0x03, Buffer.concat([Buffer.of(0), sign('sha256', signed, this.#key)]));
    const base64 = sequence(signed, ecdsaWithSha256, signature).toString('base64');
    const lines = base64.match(/.{1,64}/g) as string[];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  }
}

function der(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const lengthBytes =
    length < 0x80
      ? Buffer.of(length)
      : length < 0x100
        ? Buffer.of(0x81, length)
        : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), lengthBytes, content]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function distinguishedName(common: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(common, 'utf8')))));
}

/** UTCTime until 2049, GeneralizedTime from then. */
function timeOf(inDays: number): Buffer {
  const digits = new Date(Date.now() + inDays * 86_400_000).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return digits < '2050' ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
const basicConstraintsOfAnAuthority = sequence(
  oid('551d13'),
  der(0x01, Buffer.of(0xff)),
  der(0x04, sequence(der(0x01, Buffer.of(0xff)))),
);
