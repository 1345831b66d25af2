/**
 * What is the URL of a node: `ws://host:port` or `wss://host:port`, by name or by address.
 *
 * Invariants
 *  1. What is accepted here can be dialled: the rules are those of the WebSocket client.
 *
 * Source: RFC 6455, section 3.
 */

/** What is wrong with a text as the URL of a node; nothing, if it is one. It reads on from the text. */
export function urlProblem(text: string): string | undefined {
  if (!/^wss?:\/\//i.test(text)) return 'must begin with ws:// or wss://';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "is no URL: it must be like 'ws://10.0.0.2:7001' or 'wss://[2001:db8::2]:7001'";
  }
  return url.hash === '' ? undefined : "must have no part after a '#'";
}
