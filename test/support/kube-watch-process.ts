/** Watches Jobs as the operator does, and tells on each line of standard input how much memory that takes. */
import { createInterface } from 'node:readline';
import { Http } from '../../src/kube/http.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { Reflector } from '../../src/kube/watch.ts';

const [url = '', labelSelector = ''] = process.argv.slice(2);
let changes = 0;
const reflector = new Reflector(
  new Http({ url: new URL(url), access: async () => ({ headers: {}, tls: {} }) }),
  KIND.job,
  {
    labelSelector,
    onChange: () => {
      changes += 1;
    },
    onFatal: (error) => {
      throw error;
    },
  },
);
reflector.start();
createInterface({ input: process.stdin }).on('line', () => {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  console.log(JSON.stringify({ changes, objects: reflector.store.list().length, rss, heapUsed }));
});
