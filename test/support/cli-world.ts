/** The plugin as a process of its own, and an API server that it talks to. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject, NewMeta } from '../../src/api/kubernetes.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { Http } from '../../src/kube/http.ts';
import type { KindRef } from '../../src/kube/kinds.ts';
import { personalCredentials } from '../../src/kube/kubeconfig.ts';
import { collectionPath } from '../../src/kube/paths.ts';
import { type ApiServer, type ApiServerOptions, upApiServer } from '../cluster/api-server.ts';
import { writeKubeconfig } from '../cluster/kubeconfig.ts';
import { issue } from '../cluster/pki.ts';
import { installKinds, kubectl } from './kube-crds.ts';

const BIN = join(import.meta.dirname, '..', '..', 'dist', 'main', 'kubectl.mjs');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PluginOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** On a terminal: standard output and standard error are one, and each answer is typed once its question is there. */
  readonly terminal?: readonly { readonly after: string; readonly type: string }[];
  /** SIGINT, once this text is there. */
  readonly interruptAfter?: string;
  /** What happens in the world once this text is there. If that fails, so does the command's promise. */
  readonly meanwhile?: { readonly after: string; readonly act: () => Promise<unknown> };
}

/** Without an environment of the machine's own but for the PATH. */
export function plugin(args: readonly string[], options: PluginOptions = {}): Promise<Ended> {
  const argv = [process.execPath, '--disable-warning=ExperimentalWarning', BIN, ...args];
  const [command = '', ...rest] =
    options.terminal === undefined ? argv : ['script', '-qec', shellLine(argv), '/dev/null'];
  const child = spawn(command, rest, {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', TERM: 'xterm', ...options.env },
    stdio: 'pipe',
  });
  const answers = [...(options.terminal ?? [])];
  let stdout = '';
  let stderr = '';
  let interrupted = false;
  let meanwhile: Promise<unknown> | undefined;
  const heard = () => {
    const text = stdout + stderr;
    const next = answers[0];
    if (next !== undefined && text.includes(next.after)) {
      answers.shift();
      child.stdin.write(next.type);
    }
    if (options.interruptAfter !== undefined && !interrupted && text.includes(options.interruptAfter)) {
      interrupted = true;
      child.kill('SIGINT');
    }
    if (options.meanwhile !== undefined && text.includes(options.meanwhile.after) && meanwhile === undefined) {
      meanwhile = options.meanwhile.act();
      // Who waits for something that never comes now would wait for ever.
      meanwhile.catch(() => child.kill('SIGKILL'));
    }
  };
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    heard();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    heard();
  });
  child.stdin.on('error', () => undefined);
  if (options.terminal === undefined) child.stdin.end(options.input ?? '');
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return ended.then(async (result) => {
    await meanwhile;
    return result;
  });
}

function shellLine(argv: readonly string[]): string {
  return argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}

/** An object as a test writes it: a spec, and a status that is put in its place afterwards. */
export interface Wanted {
  readonly metadata: Omit<NewMeta, 'namespace'> & { readonly namespace?: string };
  readonly spec?: unknown;
  readonly status?: unknown;
  readonly [field: string]: unknown;
}

export class CliWorld {
  readonly server: ApiServer;
  readonly folder: string;
  readonly http: Http;
  readonly people: KubeCluster;

  private constructor(server: ApiServer, folder: string, http: Http) {
    this.server = server;
    this.folder = folder;
    this.http = http;
    this.people = new KubeCluster(http);
  }

  static async up(options: ApiServerOptions & { readonly kinds?: boolean } = {}): Promise<CliWorld> {
    const server = await upApiServer(options);
    if (options.kinds !== false) await installKinds(server.kubeconfig);
    const http = new Http(await personalCredentials({ file: server.kubeconfig }, {}));
    return new CliWorld(server, await mkdtemp(join(tmpdir(), 'holdfast-cli-')), http);
  }

  async down(): Promise<void> {
    this.http.close();
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A kubeconfig of somebody without any right. */
  async stranger(name: string): Promise<string> {
    const pki = join(this.server.dir, 'pki');
    await issue(pki, { file: name, commonName: name });
    const path = join(this.folder, `${name}.kubeconfig`);
    await writeKubeconfig(path, pki, name, { name: `as-${name}`, server: this.server.url });
    return path;
  }

  namespace(name: string): Promise<string> {
    return kubectl(this.server.kubeconfig, ['create', 'namespace', name]);
  }

  plugin(args: readonly string[], options: PluginOptions = {}): Promise<Ended> {
    return plugin(args, { cwd: this.folder, ...options, env: { KUBECONFIG: this.server.kubeconfig, ...options.env } });
  }

  /** Makes the object and writes its status, as the operator would. */
  async put<T extends KubeObject>(kind: KindRef<T>, namespace: string, { status, ...wanted }: Wanted): Promise<T> {
    const { apiVersion, kind: name } = kind;
    const metadata = { ...wanted.metadata, namespace };
    const made = await this.http.json<T>({
      method: 'POST',
      path: collectionPath(kind, namespace),
      body: { apiVersion, kind: name, ...wanted, metadata },
    });
    return status === undefined ? made : this.setStatus(kind, made, status as object);
  }

  setStatus<T extends KubeObject>(kind: KindRef<T>, object: T, status: object): Promise<T> {
    return this.http.json<T>({
      method: 'PATCH',
      path: `${collectionPath(kind, object.metadata.namespace)}/${object.metadata.name}/status`,
      body: { status },
      contentType: 'application/merge-patch+json',
    });
  }
}
