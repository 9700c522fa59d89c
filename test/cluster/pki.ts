/** Certificates for a cluster, made with openssl(1) into one folder. What is there already is kept. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';

/** A certificate that says who its owner is to the API server: `commonName` is the user, `organization` the group. */
export interface Identity {
  /** The name of its files: FILE.crt and FILE.key. */
  file: string;
  commonName: string;
  organization?: string;
  /** As openssl writes them: "IP:10.0.0.1", "DNS:localhost". */
  alternativeNames?: readonly string[];
}

/** A test cluster that somebody still has after ten years has earned a new one. */
const VALID_DAYS = '3650';

/** The folder's own authority, `ca.crt` and `ca.key`. */
export async function makeAuthority(folder: string, commonName: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await makeCertificate(folder, 'ca', authorityConfig(commonName), []);
}

/** A certificate signed by the folder's authority, good for servers and for clients. */
export async function issue(folder: string, identity: Identity): Promise<void> {
  const signer = ['-CA', join(folder, 'ca.crt'), '-CAkey', join(folder, 'ca.key')];
  await makeCertificate(folder, identity.file, certificateConfig(identity), signer);
}

/** One that was good until yesterday. */
export async function issueExpired(folder: string, identity: Identity): Promise<void> {
  const file = (ending: string) => join(folder, `${identity.file}.${ending}`);
  await writeFile(file('cnf'), certificateConfig(identity));
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-keyout', file('key')];
  await run('openssl', ['req', '-new', '-config', file('cnf'), ...key, '-out', file('csr')]);
  const signer = ['-CA', join(folder, 'ca.crt'), '-CAkey', join(folder, 'ca.key'), '-CAcreateserial'];
  const extensions = ['-extfile', file('cnf'), '-extensions', 'extensions'];
  await run('openssl', [
    'x509',
    '-req',
    '-in',
    file('csr'),
    ...signer,
    ...extensions,
    '-days',
    '-1',
    '-out',
    file('crt'),
  ]);
}

/** The pair that signs the tokens of service accounts: `sa.key` and `sa.pub`. */
export async function makeTokenSigningKeys(folder: string): Promise<void> {
  const [key, pub] = [join(folder, 'sa.key'), join(folder, 'sa.pub')];
  if (!existsSync(key)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeWhole(key, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  }
  // Always from the key that is there: a kill between the two would else leave a pair that does not match.
  await writeWhole(pub, publicHalf(await readFile(key, 'utf8')));
}

export function authorityConfig(commonName: string): string {
  return configText({ CN: commonName }, [
    'basicConstraints = critical,CA:TRUE',
    'keyUsage = critical,keyCertSign,cRLSign,digitalSignature',
    'subjectKeyIdentifier = hash',
  ]);
}

export function certificateConfig(identity: Identity): string {
  const subject = {
    ...(identity.organization !== undefined && { O: identity.organization }),
    CN: identity.commonName,
  };
  const names = identity.alternativeNames ?? [];
  return configText(subject, [
    'basicConstraints = critical,CA:FALSE',
    'keyUsage = critical,digitalSignature,keyEncipherment',
    'extendedKeyUsage = serverAuth,clientAuth',
    ...(names.length > 0 ? [`subjectAltName = ${names.join(',')}`] : []),
  ]);
}

/** A configuration of our own, so that the machine's openssl.cnf adds nothing. */
function configText(subject: Readonly<Record<string, string>>, extensions: readonly string[]): string {
  return [
    '[req]',
    'prompt = no',
    'distinguished_name = subject',
    'x509_extensions = extensions',
    '[subject]',
    ...Object.entries(subject).map(([field, value]) => `${field} = ${value}`),
    '[extensions]',
    ...extensions,
    '',
  ].join('\n');
}

/** The certificate gets its name last: a certificate that is there has its key beside it. */
async function makeCertificate(folder: string, file: string, config: string, signer: readonly string[]): Promise<void> {
  const certificate = join(folder, `${file}.crt`);
  if (existsSync(certificate)) return;
  const configFile = join(folder, `${file}.cnf`);
  await writeFile(configFile, config);
  await run('openssl', [
    ...['req', '-x509', '-config', configFile, '-days', VALID_DAYS],
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'],
    ...['-keyout', join(folder, `${file}.key`), '-out', `${certificate}.unfinished`],
    ...signer,
  ]);
  await rename(`${certificate}.unfinished`, certificate);
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.unfinished`, text, { mode: 0o600 });
  await rename(`${path}.unfinished`, path);
}

function publicHalf(privatePem: string): string {
  return createPublicKey(privatePem).export({ type: 'spki', format: 'pem' }).toString();
}
