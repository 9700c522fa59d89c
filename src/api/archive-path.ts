/** An archive as people name it: its folder or its manifest.json, with or without the bucket in front. Pure. */

/** For admission. What it lets through is a name of ours in every part, but for `.` and `..`, which {@link folderAt} refuses. */
export const ARCHIVE_PATH_PATTERN =
  '^(s3://[a-z0-9][-a-z0-9.]*[a-z0-9]/)?[-A-Za-z0-9_.]+(/[-A-Za-z0-9_.]+)*/?$' as const;

const MANIFEST = 'manifest.json';

/**
 * The folder within the bucket, with its slash at the end; or what is wrong with the path. Nothing outside of the store's
 * prefix is ever read: the store is what a person was given, the bucket is not.
 */
export function folderAt(
  path: string,
  store: { readonly bucket: string; readonly prefix: string },
): { readonly folder: string } | { readonly problem: string } {
  if (!new RegExp(ARCHIVE_PATH_PATTERN).test(path)) return { problem: 'it is no path of an archive' };
  const within = withoutBucket(path, store.bucket);
  if (within === undefined) return { problem: `it is not in the bucket "${store.bucket}" of the store` };
  const parts = within.split('/').filter((part) => part !== '');
  if (parts.some((part) => part === '.' || part === '..')) return { problem: 'it has a part "." or ".."' };
  const folder = parts.at(-1) === MANIFEST ? parts.slice(0, -1) : parts;
  const home = store.prefix === '' ? [] : store.prefix.split('/');
  if (folder.length <= home.length || home.some((part, index) => folder[index] !== part))
    return {
      problem: `it is not below ${store.prefix === '' ? 'the root' : `the prefix "${store.prefix}"`} of the store`,
    };
  return { folder: `${folder.join('/')}/` };
}

function withoutBucket(path: string, bucket: string): string | undefined {
  if (!path.startsWith('s3://')) return path;
  const own = `s3://${bucket}/`;
  return path.startsWith(own) ? path.slice(own.length) : undefined;
}
