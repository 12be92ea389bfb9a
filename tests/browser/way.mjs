// A connection between browser and server that can be cut.

import net from 'node:net';

import { BASE_URL } from './support.mjs';

/** A way to the server that can be cut: it drops every connection and takes no new one until it is mended. */
export async function cuttableWay() {
  const target = new URL(BASE_URL);
  const open = new Set();
  let cut = false;
  const server = net.createServer((client) => {
    if (cut) return client.destroy();
    const upstream = net.connect(Number(target.port || 80), target.hostname);
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      open.add(from);
      from.on('error', () => {});
      from.on('close', () => { open.delete(from); to.destroy(); });
      from.pipe(to);
    }
  });
  await new Promise((resolve) => server.listen(0, target.hostname, resolve));
  return {
    url: `http://${target.hostname}:${server.address().port}`,
    cut() { cut = true; open.forEach((socket) => socket.destroy()); },
    mend() { cut = false; },
    close() { this.cut(); server.close(); },
  };
}
