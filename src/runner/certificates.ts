/** Certificates and keys in PEM, looked at before they are used: OpenSSL passes over what it cannot read, or says little. No message quotes any of it. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { type HoldfastError, notReady } from '../lib/errors.ts';

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Only the certificates of what may be a longer file, so that nothing else of it is written down anywhere. */
export function certificatesOf(pem: string, place: string): string {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0) throw invalid(`${place} holds no certificate in PEM`);
  for (const [index, block] of blocks.entries()) {
    if (parsed(block) === undefined) throw invalid(`certificate ${index + 1} in ${place} cannot be read`);
  }
  return `${blocks.join('\n')}\n`;
}

export interface ClientCertificate {
  /** The client's own first. */
  readonly chain: string;
  readonly key: string;
}

export function clientCertificateOf(
  certificate: { readonly pem: string; readonly place: string },
  key: { readonly pem: string; readonly place: string },
): ClientCertificate {
  const chain = certificatesOf(certificate.pem, certificate.place);
  const privateKey = privateKeyOf(key.pem, key.place);
  if (parsed(chain)?.checkPrivateKey(privateKey) !== true) {
    throw invalid(`the private key in ${key.place} does not belong to the certificate in ${certificate.place}`);
  }
  return { chain, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function privateKeyOf(pem: string, place: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    const problem = /ENCRYPTED/.test(pem) ? 'has a passphrase' : 'is no private key in PEM';
    throw invalid(`${place} ${problem}`, 'Write the key without a passphrase: openssl pkey -in KEY -out tls.key');
  }
}

function invalid(
  message: string,
  hint = 'Write the file into the Secret again, in PEM (-----BEGIN …).',
): HoldfastError {
  return notReady('CertificateInvalid', message, hint);
}
