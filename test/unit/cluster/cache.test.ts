import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Artefact, cached, cacheRoot, keyOf } from '../../cluster/cache.ts';

describe('the key of an artefact', () => {
  test('does not depend on the order of the ingredients', () => {
    expect(keyOf({ a: '1', b: '2' })).toBe(keyOf({ b: '2', a: '1' }));
  });

  test.each([
    ['another content', { 'go.mod': 'x', 'go.sum': 'z' }],
    ['another name', { 'go.mod': 'x', 'go.work': 'y' }],
    ['one ingredient more', { 'go.mod': 'x', 'go.sum': 'y', 'main.go': '' }],
    ['a byte that moved to the next one', { 'go.mod': 'xy', 'go.sum': '' }],
  ])('is another one for %s', (_, ingredients) => {
    expect(keyOf(ingredients)).not.toBe(keyOf({ 'go.mod': 'x', 'go.sum': 'y' }));
  });

  test('takes bytes and text alike', () => {
    expect(keyOf({ file: Buffer.from('text') })).toBe(keyOf({ file: 'text' }));
  });

  test('is fit for a file name and for the tag of an image', () => {
    expect(keyOf({})).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe('the cache folder', () => {
  test.each([
    ['below XDG_CACHE_HOME', { XDG_CACHE_HOME: '/elsewhere' }, '/elsewhere/holdfast'],
    ['below ~/.cache when that is empty', { XDG_CACHE_HOME: '' }, `${process.env['HOME']}/.cache/holdfast`],
    ['below ~/.cache when that is unset', {}, `${process.env['HOME']}/.cache/holdfast`],
  ])('is %s', (_, environment, expected) => {
    expect(cacheRoot(environment)).toBe(expected);
  });
});

describe('an artefact', () => {
  const before = process.env['XDG_CACHE_HOME'];
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'cache-test-'));
    process.env['XDG_CACHE_HOME'] = home;
  });

  afterAll(async () => {
    if (before === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = before;
    await rm(home, { recursive: true });
  });

  const anArtefact = (name: string, key: string, build: Artefact['build']): Artefact => ({
    kind: 'images',
    name,
    key,
    extension: '.tar',
    build,
  });
  const contentsOf = (name: string) => readdir(join(home, 'holdfast/images', name));

  test('is made once by two who want it at the same time', async () => {
    let builds = 0;
    const artefact = anArtefact('twice', 'k1', async (target) => {
      builds += 1;
      await writeFile(target, 'made');
    });
    const [one, other] = await Promise.all([cached(artefact), cached(artefact)]);
    expect({ builds, same: one === other }).toEqual({ builds: 1, same: true });
    expect(await readFile(one, 'utf8')).toBe('made');
  });

  test('replaces those of the same name with another key', async () => {
    await cached(anArtefact('replaced', 'old', (target) => writeFile(target, 'old')));
    await cached(anArtefact('replaced', 'new', (target) => writeFile(target, 'new')));
    expect(await contentsOf('replaced')).toEqual(['new.tar']);
  });

  test('does not get its name when its build fails, and keeps the one before', async () => {
    await cached(anArtefact('failing', 'good', (target) => writeFile(target, 'good')));
    const failing = cached(
      anArtefact('failing', 'bad', async (target) => {
        await writeFile(target, 'half');
        throw new Error('no more disk');
      }),
    );
    await expect(failing).rejects.toThrow('no more disk');
    expect(await contentsOf('failing')).toContain('good.tar');
    expect(await contentsOf('failing')).not.toContain('bad.tar');
  });

  test('is made anew from nothing after a build that was killed', async () => {
    await mkdir(join(home, 'holdfast/images/killed/k.tar.unfinished'), { recursive: true });
    const path = await cached(anArtefact('killed', 'k', (target) => writeFile(target, 'whole')));
    expect(await readFile(path, 'utf8')).toBe('whole');
    expect(await contentsOf('killed')).toEqual(['k.tar']);
  });
});
