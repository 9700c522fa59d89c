/** Ports of this machine that nobody listens on. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/**
 * As many different free ports of `address` as asked for. Somebody else may take one before it is used: whoever uses
 * it must be able to try again with another.
 */
export async function freePorts(count: number, address = '127.0.0.1'): Promise<number[]> {
  // All are open at the same time, or the kernel could give the same one twice.
  const servers = Array.from({ length: count }, () => createServer().listen(0, address));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
