import Type, { type Static } from 'typebox';
import { commonStatus } from './conditions.ts';
import { type Resource, SecretKeyReference } from './meta.ts';

export const BackupKeySpecSchema = Type.Object({
  recipients: Type.Array(
    Type.String({
      minLength: 8,
      maxLength: 4096,
      pattern: '^age1[a-z0-9]+$',
      description: 'An age recipient: age1… or, post-quantum, age1pq1….',
    }),
    {
      minItems: 1,
      maxItems: 16,
      'x-kubernetes-list-type': 'set',
      description: 'Public keys that archives are encrypted to. Any one of their private keys opens an archive.',
      'x-kubernetes-validations': [
        {
          rule: "self.all(r, r.startsWith('age1pq1')) || !self.exists(r, r.startsWith('age1pq1'))",
          message: 'age forbids mixing post-quantum recipients (age1pq1…) with classic ones: use one class for all',
        },
      ],
    },
  ),
  default: Type.Optional(
    Type.Boolean({
      default: false,
      description: 'Used by backups of this namespace that name no key. At most one key may say true.',
    }),
  ),
  identity: Type.Optional(
    Type.Object(
      { secretRef: SecretKeyReference('Secret and key with an AGE-SECRET-KEY-… of one of the recipients.') },
      {
        description:
          'The private key, for restores. Where it is stored here, this cluster can read its own past; leave it out and name it in the Restore instead.',
      },
    ),
  ),
});

export const BackupKeyStatusSchema = Type.Object({
  ...commonStatus,
  fingerprints: Type.Optional(
    Type.Array(Type.String(), { description: "The recipients' fingerprints, in the order of spec.recipients." }),
  ),
});

export type BackupKeySpec = Static<typeof BackupKeySpecSchema>;
export type BackupKeyStatus = Static<typeof BackupKeyStatusSchema>;
export type BackupKey = Resource<BackupKeySpec, BackupKeyStatus>;
