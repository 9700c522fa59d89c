/** What every storage must do; each implementation runs it against the real thing. */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { probeStorage } from '../../src/storage/probe.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { collect, piecesOf } from '../support/runner-vectors.ts';

export interface StorageUnderTest {
  /** A storage, and a prefix that nobody else uses. */
  readonly open: () => { readonly storage: Storage; readonly prefix: string };
  readonly pieceBytes: number;
  /** Keys of uploads below the prefix that were begun and neither completed nor aborted. */
  readonly unfinished: (prefix: string) => Promise<string[]>;
}

async function keysOf(storage: Storage, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list(prefix)) keys.push(key);
  return keys.sort();
}

export function storageContract(name: string, under: StorageUnderTest): void {
  describe(`${name}: small objects`, () => {
    test('come back as they were put', async () => {
      const { storage, prefix } = under.open();
      const body = randomBytes(10_000);
      expect(await storage.put(`${prefix}/a/b.json`, body)).toMatchObject({ key: `${prefix}/a/b.json`, size: 10_000 });
      expect(Buffer.from(await storage.getSmall(`${prefix}/a/b.json`, 10_000)).equals(body)).toBe(true);
    });

    test('larger than the limit are refused', async () => {
      const { storage, prefix } = under.open();
      await storage.put(`${prefix}/large`, Buffer.alloc(101));
      await expect(storage.getSmall(`${prefix}/large`, 100)).rejects.toMatchObject({ reason: 'ObjectTooLarge' });
    });

    test('may be empty', async () => {
      const { storage, prefix } = under.open();
      await storage.put(`${prefix}/empty`, new Uint8Array(0));
      expect(await storage.getSmall(`${prefix}/empty`, 10)).toHaveLength(0);
      expect(await storage.stat(`${prefix}/empty`)).toMatchObject({ size: 0 });
    });

    test('put only if absent stay as they were when they are there', async () => {
      const { storage, prefix } = under.open();
      await storage.put(`${prefix}/once`, Buffer.from('first'), { ifAbsent: true });
      const second = storage.put(`${prefix}/once`, Buffer.from('second'), { ifAbsent: true });
      await expect(second).rejects.toMatchObject({ reason: 'ObjectExists' });
      expect(Buffer.from(await storage.getSmall(`${prefix}/once`, 100)).toString()).toBe('first');
    });

    test('put only if absent by ten at once are put by exactly one', async () => {
      const { storage, prefix } = under.open();
      const put = (n: number) => storage.put(`${prefix}/race`, Buffer.from(`writer ${n}`), { ifAbsent: true });
      const outcomes = await Promise.allSettled([...Array(10).keys()].map(put));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    test('that are removed are gone, their neighbours stay, and removing them again is fine', async () => {
      const { storage, prefix } = under.open();
      await storage.put(`${prefix}/gone`, Buffer.from('x'));
      await storage.put(`${prefix}/gone-not`, Buffer.from('y'));
      const versionId = (await storage.stat(`${prefix}/gone`))?.versionId;
      await storage.remove(`${prefix}/gone`, versionId);
      await storage.remove(`${prefix}/gone`, versionId);
      await storage.remove(`${prefix}/never-there`);
      expect(await storage.stat(`${prefix}/gone`)).toBeUndefined();
      expect(await keysOf(storage, prefix)).toEqual([`${prefix}/gone-not`]);
    });

    test('that are not there are undefined to stat and ObjectNotFound to get', async () => {
      const { storage, prefix } = under.open();
      expect(await storage.stat(`${prefix}/missing`)).toBeUndefined();
      await expect(storage.get(`${prefix}/missing`)).rejects.toMatchObject({
        reason: 'ObjectNotFound',
        outlook: 'final',
      });
      await expect(storage.getSmall(`${prefix}/missing`, 1)).rejects.toMatchObject({ reason: 'ObjectNotFound' });
    });
  });

  describe(`${name}: uploads`, () => {
    const piece = under.pieceBytes;
    test.each([0, 1, piece - 1, piece, piece + 1, 5 * piece, 5 * piece + 17])(
      'of %d bytes come back whole',
      async (size) => {
        const { storage, prefix } = under.open();
        const body = randomBytes(size);
        const upload = await storage.beginUpload(`${prefix}/upload-${size}`);
        for (const chunk of piecesOf(body, 65_537)) await upload.write(chunk);
        expect(await upload.complete()).toMatchObject({ key: `${prefix}/upload-${size}`, size });
        expect((await collect(await storage.get(`${prefix}/upload-${size}`))).equals(body)).toBe(true);
      },
    );

    test('cannot be seen before they are complete', async () => {
      const { storage, prefix } = under.open();
      const upload = await storage.beginUpload(`${prefix}/hidden`);
      for (let n = 0; n < 3; n += 1) await upload.write(randomBytes(piece));
      expect(await storage.stat(`${prefix}/hidden`)).toBeUndefined();
      expect(await keysOf(storage, prefix)).not.toContain(`${prefix}/hidden`);
      await upload.complete();
      expect(await storage.stat(`${prefix}/hidden`)).toMatchObject({ size: 3 * piece });
    });

    test('that rest before they are complete are hidden meanwhile, and whole afterwards', async () => {
      const { storage, prefix } = under.open();
      for (const size of [0, 7, piece, piece + 7]) {
        const body = randomBytes(size);
        const upload = await storage.beginUpload(`${prefix}/resting-${size}`);
        if (size > 0) await upload.write(body);
        await upload.rest();
        await upload.rest();
        expect(await storage.stat(`${prefix}/resting-${size}`)).toBeUndefined();
        expect(await upload.complete()).toMatchObject({ size });
        expect((await collect(await storage.get(`${prefix}/resting-${size}`))).equals(body)).toBe(true);
      }
    });

    test('take what is written before it changes', async () => {
      const { storage, prefix } = under.open();
      const upload = await storage.beginUpload(`${prefix}/reused-buffer`);
      const buffer = Buffer.alloc(piece);
      for (let n = 0; n < 6; n += 1) await upload.write(buffer.fill(n));
      await upload.complete();
      const body = await collect(await storage.get(`${prefix}/reused-buffer`));
      expect([...Array(6).keys()].map((n) => body[n * piece + piece - 1])).toEqual([0, 1, 2, 3, 4, 5]);
    });

    test('that are aborted leave nothing, also with pieces under way, and can be aborted again', async () => {
      const { storage, prefix } = under.open();
      const upload = await storage.beginUpload(`${prefix}/aborted`);
      for (let n = 0; n < 4; n += 1) await upload.write(randomBytes(piece));
      await upload.abort();
      await upload.abort();
      expect(await storage.stat(`${prefix}/aborted`)).toBeUndefined();
      expect(await under.unfinished(prefix)).toEqual([]);
    });

    test('that were aborted can neither be written nor completed', async () => {
      const { storage, prefix } = under.open();
      const upload = await storage.beginUpload(`${prefix}/dead`);
      await upload.abort();
      await expect(upload.write(randomBytes(10))).rejects.toThrow();
      await expect(upload.complete()).rejects.toThrow();
      expect(await storage.stat(`${prefix}/dead`)).toBeUndefined();
    });
  });

  describe(`${name}: reading and listing`, () => {
    test('a reader that stops early leaves nothing open', async () => {
      const { storage, prefix } = under.open();
      await storage.put(`${prefix}/long`, randomBytes(3_000_000));
      const body = await storage.get(`${prefix}/long`);
      for await (const _ of body) break;
      expect(body.destroyed).toBe(true);
      expect(await storage.stat(`${prefix}/long`)).toMatchObject({ size: 3_000_000 });
    });

    test('an aborted signal ends the reading with its reason', async () => {
      const { storage, prefix } = under.open();
      await storage.put(`${prefix}/stopped`, randomBytes(3_000_000));
      const controller = new AbortController();
      const body = await storage.get(`${prefix}/stopped`, { signal: controller.signal });
      const reading = async () => {
        for await (const _ of body) controller.abort(new Error('enough'));
      };
      await expect(reading()).rejects.toThrow('enough');
    });

    test('the list has every object below the prefix, and no other, over more than one page', async () => {
      const { storage, prefix } = under.open();
      const keys = [...Array(1005).keys()].map((n) => `${prefix}/list/${String(n).padStart(4, '0')}`);
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => storage.put(key, Buffer.from('x'))));
      }
      await storage.put(`${prefix}/listed-not`, Buffer.from('x'));
      expect(await keysOf(storage, `${prefix}/list/`)).toEqual(keys);
    });

    test('the probe finds conditional writes, again and again', async () => {
      const { storage, prefix } = under.open();
      expect(await probeStorage(storage, prefix)).toEqual({ conditionalWrites: true });
      expect(await probeStorage(storage, prefix)).toEqual({ conditionalWrites: true });
      expect(await keysOf(storage, prefix)).toEqual([`${prefix}/v1/.probe/probe.txt`]);
    });
  });
}
