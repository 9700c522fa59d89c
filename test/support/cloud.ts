/**
 * A small cloud on this machine: buckets, users and roles with policies, and a token service that looks at the signature and
 * the claims of a service account's token, as AWS does for EKS. versitygw is all of it; the issuer of the tokens stands in
 * for a cluster's own.
 */
import { createHash, createHmac, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { run, succeeds } from '../cluster/command.ts';
import { issue, makeAuthority } from '../cluster/pki.ts';
import { freePorts } from '../cluster/ports.ts';
import { program } from '../cluster/programs.ts';
import { answersHttp } from '../cluster/ready.ts';
import { tempDir } from '../cluster/temp-dir.ts';
import { lastLinesOf, startTied, type TiedProcess } from '../cluster/tied-process.ts';
import { waitFor } from '../cluster/wait.ts';

/**
 * Where tokens are issued. The token service fetches the keys of an issuer only from addresses of the internet, so this
 * machine is given one of those that are reserved for documentation (RFC 5737).
 */
const ISSUER = '198.51.100.77';
const REGION = 'us-east-1';
const ACCOUNT = '000000000000';

export interface Cloud extends AsyncDisposable {
  readonly s3: string;
  readonly sts: string;
  readonly region: string;
  /** As a trust policy names it: without https://. */
  readonly issuer: string;
  readonly root: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** As the administrator. */
  readonly client: S3Client;
  createBucket(name: string): Promise<void>;
  /** A token as the kubelet projects it for a service account. */
  token(namespace: string, account: string, audience?: string): string;
  /** Makes a role and returns its ARN. Policies as in a file of JSON. */
  role(name: string, trust: string, policies: Readonly<Record<string, string>>): Promise<string>;
}

/** `address`: where to listen; loopback, or the address of the host that pods reach. */
export async function startCloud(address = '127.0.0.1'): Promise<Cloud> {
  await using stack = new AsyncDisposableStack();
  const dir = await tempDir('cloud');
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const root = { accessKeyId: 'cloud-root', secretAccessKey: randomBytes(20).toString('hex') };
  const [s3Port, stsPort] = (await freePorts(2, address)) as [number, number];
  const [s3, sts] = [`http://${address}:${s3Port}`, `http://${address}:${stsPort}`];
  await startGateways({ dir, root, s3, sts }, stack);
  const issuer = await startIssuer(dir, stack);
  const call = (parameters: Readonly<Record<string, string>>) => callIam(sts, root, parameters);
  await call({
    Action: 'CreateOpenIDConnectProvider',
    Url: `https://${ISSUER}`,
    'ClientIDList.member.1': 'sts.amazonaws.com',
    'ThumbprintList.member.1': issuer.thumbprint,
  });
  const client = new S3Client({ endpoint: s3, region: REGION, credentials: root, forcePathStyle: true });
  stack.defer(() => client.destroy());
  const owned = stack.move();
  return {
    ...{ s3, sts, region: REGION, issuer: ISSUER, root, client },
    async createBucket(name) {
      await client.send(new CreateBucketCommand({ Bucket: name }));
    },
    token: issuer.token,
    async role(name, trust, policies) {
      await call({ Action: 'CreateRole', RoleName: name, AssumeRolePolicyDocument: trust });
      for (const [PolicyName, PolicyDocument] of Object.entries(policies)) {
        await call({ Action: 'PutRolePolicy', RoleName: name, PolicyName, PolicyDocument });
      }
      return `arn:aws:iam::${ACCOUNT}:role/${name}`;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Place {
  readonly dir: string;
  readonly root: Cloud['root'];
  readonly s3: string;
  readonly sts: string;
}

async function startGateways({ dir, root, s3, sts }: Place, stack: AsyncDisposableStack): Promise<void> {
  const executable = await program('versitygw');
  for (const folder of ['data', 'iam']) await mkdir(join(dir, folder));
  const socket = join(dir, 'iam.sock');
  const env = {
    ...process.env,
    ROOT_ACCESS_KEY_ID: root.accessKeyId,
    ROOT_SECRET_ACCESS_KEY: root.secretAccessKey,
  };
  const start = async (name: string, url: string, flags: readonly string[]) => {
    const log = join(dir, `${name}.log`);
    const common = ['--port', new URL(url).host, '--health', '/healthz', '--region', REGION, '--quiet'];
    const server = startTied(executable, [...common, ...flags], { log, env });
    stack.defer(() => server.stop('SIGKILL'));
    await ready(url, server, log);
  };
  await start('iam', sts, ['iam', '--dir', join(dir, 'iam'), '--private-ports', socket]);
  await start('s3', s3, ['--iam-standalone-endpoint', socket, 'posix', join(dir, 'data')]);
}

function ready(url: string, server: TiedProcess, log: string): Promise<void> {
  return waitFor(() => answersHttp(`${url}/healthz`), {
    timeoutMs: 30_000,
    everyMs: 30,
    hopeless: () => !server.running(),
    otherwise: () => `versitygw did not become ready:\n${lastLinesOf(log)}\nNext: read ${log}`,
  });
}

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The two documents by which anybody can check a token: the discovery, and the public keys. */
async function startIssuer(dir: string, stack: AsyncDisposableStack) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const url = `https://${ISSUER}`;
  const discovery = { issuer: url, jwks_uri: `${url}/keys` };
  const keys = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }] };
  if (!(await succeeds('ip', ['address', 'replace', `${ISSUER}/32`, 'dev', 'lo']))) {
    throw new Error(`the address ${ISSUER} cannot be given to this machine; that takes root, as a cluster does`);
  }
  stack.defer(async () => {
    await run('ip', ['address', 'del', `${ISSUER}/32`, 'dev', 'lo']);
  });
  const pki = join(dir, 'pki');
  await makeAuthority(pki, 'issuer of tokens');
  await issue(pki, { file: 'issuer', commonName: 'issuer', alternativeNames: [`IP:${ISSUER}`] });
  const [key, leaf, ca] = await Promise.all(
    ['issuer.key', 'issuer.crt', 'ca.crt'].map((file) => readFile(join(pki, file), 'utf8')),
  );
  const server = createServer({ key: key ?? '', cert: `${leaf}${ca}` }, ({ url: path }, answer) => {
    answer.setHeader('content-type', 'application/json');
    answer.end(JSON.stringify(path === '/keys' ? keys : discovery));
  });
  await new Promise<void>((resolve) => server.listen(443, ISSUER, resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    thumbprint: createHash('sha1')
      .update(new X509Certificate(ca ?? '').raw)
      .digest('hex'),
    token(namespace: string, account: string, audience = 'sts.amazonaws.com') {
      const now = Math.floor(Date.now() / 1000);
      const sub = `system:serviceaccount:${namespace}:${account}`;
      const claims = { iss: url, aud: [audience], sub, iat: now, nbf: now, exp: now + 3_600 };
      const unsigned = `${base64({ alg: 'RS256', kid: 'one', typ: 'JWT' })}.${base64(claims)}`;
      return `${unsigned}.${sign('sha256', Buffer.from(unsigned), privateKey).toString('base64url')}`;
    },
  };
}

/** A request to IAM, signed as AWS wants it (Signature Version 4). */
async function callIam(
  url: string,
  root: Cloud['root'],
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  const body = new URLSearchParams({ Version: '2010-05-08', ...parameters }).toString();
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${REGION}/iam/aws4_request`;
  const hash = createHash('sha256').update(body).digest('hex');
  const { host } = new URL(url);
  const type = 'application/x-www-form-urlencoded';
  const headers = `content-type:${type}\nhost:${host}\nx-amz-content-sha256:${hash}\nx-amz-date:${time}\n`;
  const names = 'content-type;host;x-amz-content-sha256;x-amz-date';
  const canonical = createHash('sha256').update(`POST\n/\n\n${headers}\n${names}\n${hash}`).digest('hex');
  const mac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const key = scope.split('/').reduce<string | Buffer>((last, part) => mac(last, part), `AWS4${root.secretAccessKey}`);
  const signature = mac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${canonical}`).toString('hex');
  const answer = await fetch(`${url}/`, {
    method: 'POST',
    body,
    headers: {
      'content-type': type,
      'x-amz-content-sha256': hash,
      'x-amz-date': time,
      authorization: `AWS4-HMAC-SHA256 Credential=${root.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
    },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${parameters['Action']}: ${answer.status} ${text}`);
  return text;
}
