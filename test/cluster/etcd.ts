/** etcd, the store behind an API server: how it is started, and how its history is dropped. */

export interface EtcdPlace {
  dataDir: string;
  /** URLs to listen on, for clients and for other members, of which there are none. */
  clients: string;
  peers: string;
}

export function etcdFlags(place: EtcdPlace): string[] {
  return [
    ...['--data-dir', place.dataDir],
    ...['--listen-client-urls', place.clients, '--advertise-client-urls', place.clients],
    ...['--listen-peer-urls', place.peers, '--initial-advertise-peer-urls', place.peers],
    ...['--initial-cluster', `default=${place.peers}`],
    ...['--log-level', 'warn'],
  ];
}

/**
 * Enough further revisions that no client's last one is the newest: a watch from the newest revision misses nothing,
 * so nobody would be told that anything is gone.
 */
const REVISIONS_TO_ADD = 10;

/** Makes every revision so far unreadable. */
export async function compactEtcd(url: string): Promise<void> {
  let revision = '0';
  for (let count = 0; count < REVISIONS_TO_ADD; count += 1) {
    const answer = await ask(`${url}/v3/kv/put`, { key: base64('holdfast-compaction'), value: base64('') });
    revision = answer.header.revision;
  }
  await ask(`${url}/v3/kv/compaction`, { revision, physical: true });
}

interface Answer {
  header: { revision: string };
}

async function ask(url: string, body: object): Promise<Answer> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`etcd answered ${response.status} to ${url}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
