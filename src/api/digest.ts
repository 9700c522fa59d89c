import Type from 'typebox';

/** As reports, tasks, manifests and contents write it: `sha256:` and 64 hexadecimal digits. */
export const Digest = () => Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });

export const ByteCount = () => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
