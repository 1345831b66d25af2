/**
 * Who dials: the name in the hello, which is the first WebSocket message of whoever opened the connection.
 *
 * Source: RFC 6455, section 5.2; docs/wire.md, "Hello".
 */
import { decodeHello } from '@grapevine/wire';

/** What follows the head of the HTTP request or answer; `null` while that is not whole. */
export function afterHead(bytes: Buffer): number | null {
  const end = bytes.indexOf('\r\n\r\n');
  return end === -1 ? null : end + 4;
}

/**
 * @param bytes what a dialler sent after the head of its request
 * @returns its name, or `null` while the first message is not whole
 * @throws Error when it is no hello
 */
export function diallerOf(bytes: Buffer): string | null {
  if (bytes.length < 2) return null;
  const short = bytes.readUInt8(1) & 0x7f;
  if (short === 127) throw new Error('a hello is shorter');
  const masked = short === 126 ? 4 : 2;
  if (bytes.length < masked + 4) return null;
  const length = short === 126 ? bytes.readUInt16BE(2) : short;
  const mask = bytes.subarray(masked, masked + 4);
  const payload = bytes.subarray(masked + 4, masked + 4 + length);
  if (payload.length < length) return null;
  const decoded = decodeHello(payload.map((byte, i) => byte ^ (mask[i % 4] as number)));
  if ('problem' in decoded) throw new Error(decoded.problem);
  return decoded.hello.name;
}
