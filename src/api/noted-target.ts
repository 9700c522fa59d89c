import Type from 'typebox';
import { AUTHENTICATION_METHODS, TLS_MODES } from './postgresql.ts';

const secret = { name: Type.String(), key: Type.String() };

/** A target in a status: as a spec would name it, with nothing left open and nothing to be refused. */
export const NotedTargetSchema = Type.Object(
  {
    postgresql: Type.Object({
      host: Type.String(),
      port: Type.Integer(),
      database: Type.Optional(Type.String({ description: 'Absent: every database of the server.' })),
      maintenanceDatabase: Type.String(),
      credentials: Type.Object({
        secretRef: Type.Object({
          name: Type.String(),
          usernameKey: Type.Optional(Type.String()),
          passwordKey: Type.Optional(Type.String()),
          uriKey: Type.Optional(Type.String()),
        }),
      }),
      tls: Type.Optional(
        Type.Object({
          mode: Type.Enum([...TLS_MODES]),
          caSecretRef: Type.Optional(Type.Object(secret)),
          clientCertSecretRef: Type.Optional(
            Type.Object({ name: secret.name, certKey: Type.String(), keyKey: Type.String() }),
          ),
        }),
      ),
      authentication: Type.Optional(Type.Array(Type.Enum([...AUTHENTICATION_METHODS]))),
    }),
  },
  { description: 'Where it goes, every default applied; so it is known, too, when its Backup is gone.' },
);
