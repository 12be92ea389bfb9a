// What both Node peers have in front: the addresses and bodies of Gavel's API that the load generator uses.
import { randomUUID } from 'node:crypto';

/// Listens on HOST:PORT, which must be loopback.
export function listen(server, address) {
  const [host, port] = address.split(':');
  if (!host.startsWith('127.')) throw new Error(`${host} is not a loopback address`);
  server.listen(Number(port), host, 4096);
}

/// A session store in memory, as express-session has by default.
export function sessions() {
  const users = new Map();
  return {
    signIn(user) {
      const token = randomUUID();
      users.set(token, user);
      return token;
    },
    user: (request) => users.get((request.headers.authorization ?? '').slice('Bearer '.length)),
  };
}
