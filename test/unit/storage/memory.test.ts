import { storageContract } from '../../contract/storage-contract.ts';
import { MemoryStorage } from '../../support/runner-memory-storage.ts';

const storage = new MemoryStorage();
let prefixes = 0;

storageContract('memory', {
  open: () => ({ storage, prefix: `test-${prefixes++}` }),
  pieceBytes: 1000,
  unfinished: async (prefix) => [...storage.unfinished].filter((key) => key.startsWith(prefix)),
});
