/**
 * `--discover`: a source of addresses as a word.
 *
 * Invariant: only the form is judged here. What a source may be told, its owner knows.
 */
import { type Discovery, dns, file } from '@grapevine/node';

const forms = 'It must be dns:NAME:PORT, dns-aaaa:NAME:PORT, srv:NAME or file:PATH.';

/** @returns the source, or what is wrong with the text. @throws GossipError OPTIONS_INVALID */
export function parseDiscovery(text: string): Discovery | string {
  const colon = text.indexOf(':');
  const [kind, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || rest === '') return forms;
  switch (kind) {
    case 'file':
      return file({ path: rest });
    case 'srv':
      return dns({ name: rest, type: 'SRV' });
    case 'dns':
    case 'dns-aaaa': {
      const last = rest.lastIndexOf(':');
      const port = rest.slice(last + 1);
      if (last < 1 || !/^\d+$/.test(port)) return forms;
      return dns({ name: rest.slice(0, last), type: kind === 'dns' ? 'A' : 'AAAA', port: Number(port) });
    }
    default:
      return forms;
  }
}
