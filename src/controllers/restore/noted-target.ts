/** Where a restore goes, as its status says it: what needs the place later need not ask who told it first. Pure. */
import type { RestoreStatus } from '../../api/restore.ts';
import type { ServerAccess } from '../../api/task.ts';
import { sourceAccessOf } from '../access.ts';

type Noted = NonNullable<RestoreStatus['target']>;

export function notedTarget({ engine: _, credentials, tls, ...address }: ServerAccess): Noted {
  const { authentication, ...place } = address;
  return {
    postgresql: {
      ...place,
      credentials: { secretRef: secretOf(credentials) },
      ...(tls === undefined ? {} : { tls: tlsOf(tls) }),
      ...(authentication === undefined ? {} : { authentication: [...authentication] }),
    },
  };
}

/** Which databases a URI may name is no matter any more: the one that is meant is known. */
export function accessOfNoted({ postgresql }: Noted): ServerAccess {
  const { database, ...server } = postgresql;
  return {
    ...sourceAccessOf({ ...server, scope: 'Instance' }),
    ...(database === undefined ? {} : { database }),
  };
}

function secretOf(credentials: ServerAccess['credentials']): Noted['postgresql']['credentials']['secretRef'] {
  const { secret: name } = credentials;
  if ('uriKey' in credentials) return { name, uriKey: credentials.uriKey };
  return { name, usernameKey: credentials.usernameKey, passwordKey: credentials.passwordKey };
}

function tlsOf({ mode, authorities, clientCertificate }: NonNullable<ServerAccess['tls']>) {
  return {
    mode,
    ...(authorities === undefined ? {} : { caSecretRef: { name: authorities.secret, key: authorities.key } }),
    ...(clientCertificate === undefined
      ? {}
      : {
          clientCertSecretRef: {
            name: clientCertificate.secret,
            certKey: clientCertificate.certificateKey,
            keyKey: clientCertificate.privateKeyKey,
          },
        }),
  };
}
