#!/usr/bin/env bash
# Bun 1.4.5 replaces the package `ws` (8.23.0 here, installed and ignored) by a WebSocket of its own. Of a connection under load:
#   - the response of the client's event `upgrade` has no socket (`ws`: the stream of the connection);
#   - the stream that the server's event `upgrade` gives is there, but never tells `drain`, while `bufferedAmount` and the
#     callbacks of `send` follow what has left (`ws`: the stream tells `drain` too);
#   - a server's stream over TLS has `authorized` and `encrypted`, and is no `tls.TLSSocket`: no certificate, no keying material,
#     though `TLSSocket.prototype.exportKeyingMaterial` is a function there.
# So whoever waits for `drain`, or asks the stream whether there is TLS, works on Node.js and stands still, or errs, on Bun.
# Fails if any of that changes. Needs Node.js, npm and openssl; Linux on x64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' > package.json
npm install --ignore-scripts --no-audit --no-fund --save-exact ws@8.23.0 @oven/bun-linux-x64@1.4.5 > /dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2> /dev/null
cat > show.js <<'JS'
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { TLSSocket } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';

const [key, cert] = ['key.pem', 'cert.pem'].map((name) => readFileSync(name));
const found = { upgradeSocket: null, drains: 0, callbacks: 0, left: -1, serverIsTlsSocket: null, prototype: null };
found.prototype = typeof TLSSocket.prototype.exportKeyingMaterial;

async function connect(server, scheme) {
  const upgrader = new WebSocketServer({ noServer: true });
  const accepted = new Promise((resolve) => {
    server.on('upgrade', (request, stream, head) =>
      upgrader.handleUpgrade(request, stream, head, (socket) => resolve({ socket, stream })),
    );
  });
  await new Promise((resolve) => server.listen(0, resolve));
  const client = new WebSocket(`${scheme}://localhost:${server.address().port}`, { ca: cert });
  const upgraded = new Promise((resolve) => client.on('upgrade', (response) => resolve(response.socket)));
  return { client, upgradeSocket: await upgraded, ...(await accepted) };
}

const { client, upgradeSocket, socket, stream } = await connect(createServer(), 'ws');
found.upgradeSocket = upgradeSocket === null ? 'null' : upgradeSocket.constructor.name;
stream.on('drain', () => (found.drains += 1));
const frames = 400;
const all = new Promise((resolve) => {
  let came = 0;
  client.on('message', () => ++came === frames && resolve());
});
client.pause();
for (let i = 0; i < frames; i += 1) socket.send(Buffer.alloc(65_536), () => (found.callbacks += 1));
const waiting = socket.bufferedAmount > 1_000_000;
client.resume();
await all;
await new Promise((resolve) => setTimeout(resolve, 500));
found.left = waiting ? socket.bufferedAmount : 'nothing waited';
const secure = await connect(createTlsServer({ key, cert }), 'wss');
found.serverIsTlsSocket = secure.stream instanceof TLSSocket;
console.log(JSON.stringify({ ...found, drains: found.drains > 0 }));
process.exit();
JS
node=$(node show.js)
bun=$(node_modules/@oven/bun-linux-x64/bin/bun show.js)
echo "Node.js $(node --version): $node"
echo "Bun $(node_modules/@oven/bun-linux-x64/bin/bun --version):    $bun"
[ "$node" = '{"upgradeSocket":"Socket","drains":true,"callbacks":400,"left":0,"serverIsTlsSocket":true,"prototype":"function"}' ]
[ "$bun" = '{"upgradeSocket":"null","drains":false,"callbacks":400,"left":0,"serverIsTlsSocket":false,"prototype":"function"}' ]
