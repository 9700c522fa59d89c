/** `key export`: a private key that is stored in the cluster, out of it, under a passphrase. */
import { readFile } from 'node:fs/promises';
import { armor, Encrypter } from 'age-encryption';
import { parseIdentities, recipientsOf } from '../keys/identities.ts';
import { fingerprint } from '../keys/recipients.ts';
import { KIND } from '../kube/kinds.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import { SECRET } from './kinds.ts';
import { EXIT } from './output.ts';
import { writePrivate } from './private-file.ts';
import { askHidden, canAsk } from './prompt.ts';
import { type Cli, type CommonOptions, type Session, withSession } from './session.ts';

export interface KeyExportOptions extends CommonOptions {
  readonly out: string;
  readonly passphraseFile?: string;
}

/** A file that leaves the cluster can be tried at leisure, so the passphrase must stand that. */
const SHORTEST = 12;

export async function keyExport(cli: Cli, name: string, options: KeyExportOptions): Promise<number> {
  return withSession(cli, options, async (session) => {
    const key = await session.find(KIND.backupKey, name);
    const reference = key.spec.identity?.secretRef;
    if (reference === undefined) {
      throw new HoldfastError(
        'NoIdentity',
        `BackupKey "${name}" has no spec.identity: its private key was never in this cluster.`,
        {
          hint: 'It is where whoever made the key put it: "key create" writes NAME.key.',
        },
      );
    }
    const identities = parseIdentities(await identityText(session, reference));
    const passphrase = await passphraseFor(cli, options);
    const encrypter = new Encrypter();
    encrypter.setPassphrase(passphrase);
    const sealed = await encrypter.encrypt(`${identities.join('\n')}\n`);
    // Text survives mail and password managers.
    await writePrivate(options.out, armor.encode(sealed));
    cli.output.data(options.out);
    const fingerprints = (await recipientsOf(identities)).map(fingerprint);
    const own = key.spec.recipients.map(fingerprint);
    if (!fingerprints.some((each) => own.includes(each))) {
      cli.output.warn(`the Secret's key (${fingerprints.join(', ')}) opens nothing that BackupKey "${name}" encrypts.`);
    }
    cli.output.say(
      `Open it with "age -d ${options.out}" and the passphrase. The Secret ${reference.name} is still in the cluster.`,
    );
    return EXIT.ok;
  });
}

async function identityText(
  session: Session,
  reference: { readonly name: string; readonly key: string },
): Promise<string> {
  const secret = await session.find(SECRET, reference.name);
  const data = secret.data?.[reference.key];
  if (data === undefined) {
    throw new HoldfastError('NoSuchKey', `The Secret "${reference.name}" has no key "${reference.key}".`, {
      hint: `It has: ${Object.keys(secret.data ?? {}).join(', ') || 'none'}.`,
    });
  }
  return Buffer.from(data, 'base64').toString('utf8');
}

async function passphraseFor(cli: Cli, { passphraseFile }: KeyExportOptions): Promise<string> {
  const passphrase = passphraseFile === undefined ? await asked(cli) : await fromFile(passphraseFile);
  if ([...passphrase].length < SHORTEST) {
    throw new HoldfastError('PassphraseTooShort', `The passphrase has less than ${SHORTEST} characters.`, {
      hint: 'Six random words are good, and can be written down.',
    });
  }
  return passphrase;
}

async function asked(cli: Cli): Promise<string> {
  if (!canAsk(cli)) {
    throw new HoldfastError('NoTerminal', 'There is nobody to ask for a passphrase: standard input is no terminal.', {
      hint: 'Give --passphrase-file FILE.',
    });
  }
  const first = await askHidden(cli, 'Passphrase for the exported key: ');
  const second = await askHidden(cli, 'The same once more: ');
  if (first !== second) throw new HoldfastError('PassphraseMismatch', 'The two differ. Nothing was written.');
  return first;
}

async function fromFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (caught) {
    throw new HoldfastError('FileUnreadable', `${path} cannot be read: ${messageOf(caught)}`, { cause: caught });
  }
}
