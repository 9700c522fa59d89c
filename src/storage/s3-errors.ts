/** What an S3 server or the way to it answers, as a failure that a person can act on. */
import { HoldfastError, type Outlook } from '../lib/errors.ts';
import { type Fault, faultOf, type Site, serviceAccountOf, wordsOf } from './s3-fault.ts';
import { IdentityFault, identityError } from './s3-identity.ts';
import { isTlsFault, tlsError } from './s3-tls-faults.ts';

interface Rule {
  readonly codes: readonly string[];
  readonly statuses?: readonly number[];
  readonly reason: string;
  readonly message: (site: Site, fault: Fault) => string;
  readonly hint: (site: Site) => string;
  readonly outlook?: Outlook;
}

const CLOCK_HINT = () => 'Set the clock of the node right (NTP): requests are signed with the time.';
const userOf = (site: Site) =>
  site.secret === undefined
    ? `role of the service account ${serviceAccountOf(site)}`
    : `user of the Secret ${site.secret}`;

/** In order; the first that applies wins. Codes come before statuses, which several causes share. */
const RULES: readonly Rule[] = [
  {
    codes: ['NoSuchBucket'],
    reason: 'BucketNotFound',
    message: ({ bucket, endpoint }) => `the bucket ${bucket} does not exist at ${endpoint}`,
    hint: () =>
      'Create the bucket, or correct spec.s3.bucket, spec.s3.endpoint or spec.s3.forcePathStyle of the BackupStore.',
  },
  {
    codes: ['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken', 'ExpiredToken', 'TokenRefreshRequired'],
    reason: 'StoreCredentialsInvalid',
    message: ({ endpoint }, fault) => `${endpoint} does not accept the credentials (${wordsOf(fault)})`,
    hint: ({ secret }) =>
      secret === undefined
        ? 'The credentials are those of the cloud for the service account: see whether this is a bucket of the same cloud.'
        : `Put a valid access key and its secret into the Secret ${secret}.`,
  },
  {
    codes: ['RequestTimeTooSkewed', 'RequestExpired'],
    reason: 'ClockSkewed',
    message: ({ endpoint }) => `the clocks of this node and of ${endpoint} differ too much`,
    hint: CLOCK_HINT,
  },
  {
    codes: [
      'PermanentRedirect',
      'TemporaryRedirect',
      'AuthorizationHeaderMalformed',
      'IllegalLocationConstraintException',
    ],
    statuses: [301, 307],
    reason: 'StoreRejected',
    message: ({ bucket, endpoint }, fault) =>
      `the bucket ${bucket} is not in this region or not at ${endpoint} (${wordsOf(fault)})`,
    hint: () => 'Set spec.s3.region and spec.s3.endpoint of the BackupStore to those of the bucket.',
  },
  {
    codes: ['QuotaExceeded', 'XMinioStorageFull', 'InsufficientCapacity', 'ServiceQuotaExceeded'],
    statuses: [507],
    reason: 'StoreRejected',
    message: ({ bucket }, fault) => `the store has no room left for ${bucket} (${wordsOf(fault)})`,
    hint: () => 'Free space or raise the quota of the bucket.',
  },
  {
    codes: ['NoSuchKey', 'NoSuchVersion', 'NotFound', 'MethodNotAllowed'],
    statuses: [404],
    reason: 'ObjectNotFound',
    message: ({ bucket }) => `there is no such object in the bucket ${bucket}`,
    hint: () => 'See whether a lifecycle rule or a person removed it.',
    outlook: 'final',
  },
  {
    codes: ['AccessDenied', 'AllAccessDisabled', 'AccountProblem', 'Forbidden'],
    statuses: [401, 403],
    reason: 'StoreAccessDenied',
    message: ({ bucket, endpoint }, fault) =>
      `access to the bucket ${bucket} at ${endpoint} is denied (${wordsOf(fault)})`,
    hint: (site) =>
      `Allow the ${userOf(site)} to list the bucket and to get, put and abort uploads below the prefix (s3:ListBucket, GetObject, PutObject, AbortMultipartUpload, ListMultipartUploadParts).`,
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA'],
    reason: 'StoreUnreachable',
    message: ({ endpoint }, { code }) => `the name of ${endpoint} is not known here (${code})`,
    hint: () =>
      'Correct spec.s3.endpoint of the BackupStore; if bucket.host is what does not resolve, set spec.s3.forcePathStyle: true.',
  },
  {
    codes: ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN'],
    reason: 'StoreUnreachable',
    message: ({ endpoint }, { code }) => `nothing answers at ${endpoint} (${code})`,
    hint: () =>
      'See whether the S3 server runs, whether the port is right, and whether a NetworkPolicy lets Pods of this namespace out.',
  },
  {
    codes: ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ESOCKETTIMEDOUT', 'TimeoutError', 'ECONNABORTED', 'RequestTimeout'],
    reason: 'StoreUnreachable',
    message: ({ endpoint }, fault) => `${endpoint} does not answer in time, or breaks off (${wordsOf(fault)})`,
    hint: () => 'See whether the S3 server and the network to it are well.',
  },
];

const CHANGED_ON_THE_WAY = [
  'BadDigest',
  'InvalidDigest',
  'IncompleteBody',
  'XAmzContentSHA256Mismatch',
  'ChecksumMismatch',
];
const TEMPORARY = [
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted',
  'ConditionalRequestConflict',
];
const NETWORK = [
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_NODATA',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'ECONNABORTED',
  'TimeoutError',
  'RequestTimeout',
];
/** The client learns the server's time from the refusal, so the next try bears the right one. */
const SKEWED = ['RequestTimeTooSkewed', 'RequestExpired'];
const AGAIN = new Set([...CHANGED_ON_THE_WAY, ...TEMPORARY, ...NETWORK, ...SKEWED]);
const AGAIN_STATUSES = new Set([408, 429, 500, 502, 503, 504]);

/** Whether the same request, sent again a little later, may well succeed. */
export function canHeal(caught: unknown): boolean {
  if (caught instanceof HoldfastError) return false;
  if (caught instanceof IdentityFault) return canHeal(caught.cause);
  const { code, status } = faultOf(caught);
  return AGAIN.has(code) || (status !== undefined && AGAIN_STATUSES.has(status));
}

/** Whether the caught error bears the server's or the machine's code, or the status. */
export function isFault(caught: unknown, code: string, status?: number): boolean {
  const fault = faultOf(caught);
  return fault.code === code || (status !== undefined && fault.status === status);
}

/** A failure for people. `doing` ends the sentence "cannot …". Ours pass unchanged. */
export function storeError(caught: unknown, site: Site, doing: string): HoldfastError {
  if (caught instanceof HoldfastError) return caught;
  if (caught instanceof IdentityFault) return identityError(caught, site, doing);
  const fault = faultOf(caught);
  if (isTlsFault(fault)) return tlsError(caught, fault, site, doing);
  const rule =
    RULES.find(({ codes }) => codes.includes(fault.code)) ??
    RULES.find(({ statuses }) => fault.status !== undefined && statuses?.includes(fault.status));
  if (rule === undefined) return unknownFault(caught, fault, site, doing);
  return new HoldfastError(rule.reason, `cannot ${doing}: ${rule.message(site, fault)}`, {
    hint: rule.hint(site),
    outlook: rule.outlook ?? 'retry',
    cause: caught,
  });
}

function unknownFault(caught: unknown, fault: Fault, site: Site, doing: string): HoldfastError {
  const failure = (reason: string, message: string, hint: string) =>
    new HoldfastError(reason, `cannot ${doing}: ${message}`, { hint, outlook: 'retry', cause: caught });
  if (canHeal(caught)) {
    const status = fault.status === undefined ? '' : `${fault.status} `;
    const hint = 'It was tried again several times. See whether the S3 server is well.';
    return failure('StoreUnreachable', `${site.endpoint} answers ${status}${wordsOf(fault)}`, hint);
  }
  const status = fault.status === undefined ? '' : ` with status ${fault.status}`;
  return failure(
    'StoreRejected',
    `${site.endpoint} refuses it${status} (${wordsOf(fault)})`,
    'See whether the endpoint is an S3 server, and what its log says.',
  );
}
