/** One person's connection to one cluster, with that person's rights. */
import type { KubeObject } from '../api/kubernetes.ts';
import { KubeCluster } from '../kube/client.ts';
import type { Cluster } from '../kube/cluster.ts';
import { Http } from '../kube/http.ts';
import type { KindRef } from '../kube/kinds.ts';
import { personalCredentials } from '../kube/kubeconfig.ts';
import { collectionPath } from '../kube/paths.ts';
import { HoldfastError } from '../lib/errors.ts';
import type { Output } from './output.ts';
import { list, nearest } from './words.ts';

/** Options that every command has. */
export interface CommonOptions {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** What every command is given. */
export interface Cli {
  readonly output: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  readonly now: () => Date;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** How the API server knows us in managedFields and audit logs. */
const CLI_NAME = 'kubectl-holdfast';

export interface NewThing {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
}

export class Session {
  readonly http: Http;
  readonly url: string;
  readonly cluster: Pick<Cluster, 'get' | 'list' | 'delete'>;
  readonly namespace: string;
  readonly context: string | undefined;

  private constructor(http: Http, facts: { url: string; namespace: string; context: string | undefined }) {
    this.http = http;
    this.cluster = new KubeCluster(http);
    this.url = facts.url;
    this.namespace = facts.namespace;
    this.context = facts.context;
  }

  static async open({ env }: Pick<Cli, 'env'>, options: CommonOptions): Promise<Session> {
    const credentials = await personalCredentials(
      {
        ...(options.kubeconfig === undefined ? {} : { file: options.kubeconfig }),
        ...(options.context === undefined ? {} : { context: options.context }),
      },
      env,
    );
    const namespace = options.namespace ?? credentials.namespace ?? 'default';
    return new Session(new Http(credentials), {
      url: credentials.url.href.replace(/\/$/, ''),
      namespace,
      context: credentials.context,
    });
  }

  /** Refused where the name is taken, and where a field is unknown. */
  create<T extends KubeObject>(kind: KindRef<T>, object: NewThing): Promise<T> {
    return this.post<T>(kind, object, {});
  }

  /** Everything that a create does but the writing: it throws what would stand against it. */
  async tryCreate(kind: KindRef, object: NewThing): Promise<void> {
    await this.post(kind, object, { dryRun: 'All' });
  }

  /** The object of that name in our namespace. Where there is none, the error tells which ones there are. */
  async find<T extends KubeObject>(kind: KindRef<T>, name: string): Promise<T> {
    if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) {
      throw new HoldfastError(
        'NotFound',
        `"${name}" cannot be the name of a ${kind.kind}: names have a-z, 0-9, "-" and "." only.`,
      );
    }
    const found = await this.cluster.get(kind, { namespace: this.namespace, name });
    if (found !== undefined) return found;
    const names = (await this.cluster.list(kind, { namespace: this.namespace })).map(({ metadata }) => metadata.name);
    throw new HoldfastError('NotFound', `There is no ${kind.kind} "${name}" in namespace "${this.namespace}".`, {
      hint: suggestion(kind, name, names),
    });
  }

  close(): void {
    this.http.close();
  }

  private post<T extends KubeObject>(
    kind: KindRef<T>,
    object: NewThing,
    more: { readonly dryRun?: 'All' },
  ): Promise<T> {
    const namespace = object.metadata.namespace ?? this.namespace;
    return this.http.json<T>({
      method: 'POST',
      path: collectionPath(kind, namespace),
      query: { fieldManager: CLI_NAME, fieldValidation: 'Strict', ...more },
      body: { ...object, metadata: { ...object.metadata, namespace } },
    });
  }
}

/** More would be no help. */
const NAMES_SHOWN = 10;

function suggestion(kind: KindRef, name: string, names: readonly string[]): string {
  if (names.length === 0)
    return `This namespace has no ${kind.kind} at all. Is it the right one? -n NAMESPACE chooses another.`;
  const near = nearest(name, names);
  if (near !== undefined) return `Did you mean "${near}"?`;
  const some = [...names].sort().slice(-NAMES_SHOWN);
  return `There ${names.length === 1 ? 'is' : 'are'} ${list(some)}${names.length > some.length ? ` and ${names.length - some.length} more` : ''}.`;
}

/** Opens a session, runs the command, and leaves no connection open whatever happens. */
export async function withSession<T>(
  cli: Pick<Cli, 'env'>,
  options: CommonOptions,
  command: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await Session.open(cli, options);
  try {
    return await command(session);
  } finally {
    session.close();
  }
}
