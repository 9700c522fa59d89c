/**
 * Who a pod is to the cloud, where no Secret says it: what the cloud's webhook put into the pod for its service account.
 *
 * The SDK's own chain of sources is longer. Of it count the web identity (EKS: IAM roles for service accounts) and the
 * container endpoint (EKS Pod Identity); never the metadata service of the node, whose role every pod of it could take.
 */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { HoldfastError, notReady } from '../lib/errors.ts';
import { type Fault, faultOf, type Site, serviceAccountOf, wordsOf } from './s3-fault.ts';

/** In place of credentials: ask who we are. */
export const AMBIENT = 'ambient';

type Credentials = Exclude<S3ClientConfig['credentials'], undefined>;
export type CredentialSource = Extract<Credentials, (...args: never[]) => unknown>;

/** The environment as the webhooks of EKS write it. */
type Environment = Readonly<Record<string, string | undefined>>;

/** That no credentials came is another matter than what the store says to them: it has its own words. */
export class IdentityFault extends Error {
  readonly role: string | undefined;

  constructor(cause: unknown, role: string | undefined) {
    super('the cloud gave no credentials', { cause });
    this.name = 'IdentityFault';
    this.role = role;
  }
}

/**
 * Credentials of the pod, asked for anew some minutes before they end: a backup may take longer than they last.
 * Throws at once where the pod was given no identity; what fails later is an {@link IdentityFault}.
 */
export function ambientCredentials(
  site: Site,
  region: string,
  requestHandler: NonNullable<S3ClientConfig['requestHandler']>,
  environment: Environment = process.env,
): CredentialSource {
  mustHaveIdentity(site, environment);
  // This client sends nothing: it is the only door to the SDK's chain. The cloud's region may be another one than the bucket's.
  const { credentials } = new S3Client({ region: environment['AWS_REGION'] ?? region, requestHandler }).config;
  const role = environment['AWS_ROLE_ARN'];
  return async (options) => {
    try {
      return await credentials(options);
    } catch (caught) {
      throw new IdentityFault(caught, role);
    }
  };
}

function mustHaveIdentity(site: Site, environment: Environment): void {
  const has = (name: string) => (environment[name] ?? '') !== '';
  if (has('AWS_WEB_IDENTITY_TOKEN_FILE') && has('AWS_ROLE_ARN')) return;
  if (has('AWS_CONTAINER_CREDENTIALS_FULL_URI')) return;
  throw notReady(
    'NoCloudIdentity',
    `the BackupStore names no credentials, and the cloud gave none to the service account ${serviceAccountOf(site)}`,
    'Name a Secret in spec.s3.credentials; or name in spec.serviceAccountName an account that has a role: annotation eks.amazonaws.com/role-arn, or an EKS Pod Identity association.',
  );
}

export function identityError({ cause, role }: IdentityFault, site: Site, doing: string): HoldfastError {
  const { reason, message, hint } = explain(faultOf(cause), site, role ?? 'its role');
  return new HoldfastError(reason, `cannot ${doing}: ${message}`, { hint, outlook: 'retry', cause });
}

const NO_ANSWER = /^(E[A-Z_]+|TimeoutError|RequestTimeout|IDPCommunicationError)$/;
/** The token is a file of the kubelet's; that it is not there is nobody's network. */
const NO_FILE = ['ENOENT', 'EACCES', 'EISDIR'];

function explain(fault: Fault, site: Site, role: string): { reason: string; message: string; hint: string } {
  const account = serviceAccountOf(site);
  if (NO_FILE.includes(fault.code)) {
    return {
      reason: 'NoCloudIdentity',
      message: `the token of the service account ${account} cannot be read (${fault.code})`,
      hint: "See what the cloud's webhook put into the pod: kubectl get pod -o yaml.",
    };
  }
  if (NO_ANSWER.test(fault.code) || (fault.status ?? 0) >= 500) {
    return {
      reason: 'CloudIdentityUnreachable',
      message: `the cloud's token service does not answer (${wordsOf(fault)})`,
      hint: 'See whether a NetworkPolicy lets Pods of this namespace reach it: sts.REGION.amazonaws.com (443), or the agent at 169.254.170.23 (80).',
    };
  }
  return {
    reason: 'CloudIdentityRefused',
    message: `the cloud does not give ${role} to the service account ${account} (${wordsOf(fault)})`,
    hint: `Let the trust policy of the role name the OIDC provider of this cluster, the audience sts.amazonaws.com and the subject system:serviceaccount:NAMESPACE:${account}.`,
  };
}
