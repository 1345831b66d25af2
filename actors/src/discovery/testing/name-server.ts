/**
 * A name server for tests: real datagrams, and answers that a test changes as it goes.
 *
 * Invariants
 *  1. A name that it was not told of does not exist (NXDOMAIN); one with records of other types only has no data.
 *  2. What it was asked is in `asked`, in order, repetitions included.
 *
 * Source: RFC 1035, section 4; RFC 3596 for AAAA; RFC 2782 for SRV.
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface Service {
  readonly target: string;
  readonly port: number;
  readonly priority?: number;
  readonly weight?: number;
}

/** What a name has, or how it fails. */
export type Records =
  | { readonly A?: readonly string[]; readonly AAAA?: readonly string[]; readonly SRV?: readonly Service[] }
  | 'SERVFAIL'
  | 'REFUSED'
  | 'silence';

const typeNumbers = { A: 1, AAAA: 28, SRV: 33 } as const;
type RecordType = keyof typeof typeNumbers;
const responseCodes = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;

export class NameServer {
  readonly zone: Map<string, Records> = new Map();
  readonly asked: string[] = [];
  /** How many of the next questions get lost. */
  losses: number = 0;
  readonly #socket: Socket = createSocket('udp4');

  /** Where it is asked, such as `127.0.0.1:port`. */
  get address(): string {
    const { address, port } = this.#socket.address();
    return `${address}:${port}`;
  }

  /** @param place the system's resolver asks port 53 alone. @default a free port of the loopback */
  async open({ port = 0, host = '127.0.0.1' }: { readonly port?: number; readonly host?: string } = {}): Promise<this> {
    this.#socket.on('message', (query, asker) => {
      const answer = this.#answer(query);
      if (answer !== null) this.#socket.send(answer, asker.port, asker.address);
    });
    this.#socket.bind(port, host);
    await once(this.#socket, 'listening');
    return this;
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  #answer(query: Buffer): Buffer | null {
    const { name, end } = nameAt(query, 12);
    const type = (Object.keys(typeNumbers) as RecordType[]).find((key) => typeNumbers[key] === query.readUInt16BE(end));
    this.asked.push(`${type ?? '?'} ${name}`);
    const records = this.zone.get(name);
    if (records === 'silence') return null;
    if (this.losses > 0) {
      this.losses -= 1;
      return null;
    }
    const question = query.subarray(12, end + 4);
    if (typeof records === 'string') return response(query, question, responseCodes[records], []);
    if (records === undefined) return response(query, question, responseCodes.NXDOMAIN, []);
    return response(
      query,
      question,
      0,
      type === undefined ? [] : dataOf(records, type).map((data) => ({ type, data })),
    );
  }
}

/** The name at this place of a message, and where it ends. Questions are not compressed. */
function nameAt(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at] as number; length > 0; length = message[at] as number) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function encodedName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)])),
    Buffer.of(0),
  ]);
}

function dataOf(records: Exclude<Records, string>, type: RecordType): Buffer[] {
  switch (type) {
    case 'A':
      return (records.A ?? []).map((address) => Buffer.from(address.split('.').map(Number)));
    case 'AAAA':
      return (records.AAAA ?? []).map(encodedAddress);
    case 'SRV':
      return (records.SRV ?? []).map(({ target, port, priority = 0, weight = 0 }) => {
        const numbers = Buffer.alloc(6);
        [priority, weight, port].forEach((value, index) => numbers.writeUInt16BE(value, 2 * index));
        return Buffer.concat([numbers, encodedName(target)]);
      });
    default:
      return type satisfies never;
  }
}

function encodedAddress(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): string[] => text.split(':').filter((group) => group !== '');
  const filled = [...groups(head), ...Array.from({ length: 8 }, () => '0')].slice(0, 8 - groups(tail).length);
  const bytes = Buffer.alloc(16);
  [...filled, ...groups(tail)].forEach((group, index) => bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * index));
  return bytes;
}

interface Answer {
  readonly type: RecordType;
  readonly data: Buffer;
}

function response(query: Buffer, question: Buffer, code: number, answers: readonly Answer[]): Buffer {
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  // A response, recursion desired and available.
  header.writeUInt16BE(0x8180 | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  const records = answers.map(({ type, data }) => {
    // The name is that of the question, at byte 12; class IN; to be kept for an hour, were we to keep it.
    const fixed = Buffer.alloc(12);
    [0xc00c, typeNumbers[type], 1].forEach((value, index) => fixed.writeUInt16BE(value, 2 * index));
    fixed.writeUInt32BE(3600, 6);
    fixed.writeUInt16BE(data.length, 10);
    return Buffer.concat([fixed, data]);
  });
  return Buffer.concat([header, question, ...records]);
}
