/** A person's way to a cluster: which kubeconfig, which of its contexts, which namespace. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import { type Credentials, credentialsOf, serviceAccount } from './credentials.ts';

/** Each absent: as kubectl chooses. */
export interface KubeconfigChoice {
  readonly file?: string;
  readonly context?: string;
}

export interface PersonalCredentials extends Credentials {
  /** Of the context that was chosen; absent: it says none. */
  readonly namespace?: string;
  /** Absent inside a cluster, with a service account. */
  readonly context?: string;
}

const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

const HINT = 'Give --kubeconfig FILE, or set KUBECONFIG; "kubectl config view" shows what kubectl uses.';

/**
 * As kubectl does: `--kubeconfig`, else every file of KUBECONFIG that is there, else ~/.kube/config, else the service
 * account of the pod that we run in. The first file that says something wins.
 */
export async function personalCredentials(
  choice: KubeconfigChoice,
  env: NodeJS.ProcessEnv,
): Promise<PersonalCredentials> {
  const files = filesOf(choice, env);
  if (files.length === 0) return inCluster(choice, env);
  const { KubeConfig } = await import('./client-node.ts');
  const config = new KubeConfig();
  for (const [index, file] of files.entries()) {
    const read = index === 0 ? config : new KubeConfig();
    try {
      read.loadFromFile(file);
      if (index > 0) config.mergeConfig(read, true);
    } catch (caught) {
      throw new HoldfastError('KubeconfigInvalid', `${file} cannot be read as a kubeconfig: ${messageOf(caught)}`, {
        hint: HINT,
        cause: caught,
      });
    }
  }
  if (choice.context !== undefined) config.setCurrentContext(choice.context);
  const context = config.getContextObject(config.getCurrentContext());
  if (context === null) throw noContext(config.getCurrentContext(), config.getContexts(), files);
  return {
    ...credentialsOf(config),
    context: context.name,
    ...(context.namespace ? { namespace: context.namespace } : {}),
  };
}

function filesOf({ file }: KubeconfigChoice, env: NodeJS.ProcessEnv): string[] {
  if (file !== undefined) {
    if (!existsSync(file)) throw missing(`There is no file ${file}.`);
    return [file];
  }
  if (env['KUBECONFIG']) {
    const listed = env['KUBECONFIG'].split(delimiter).filter((name) => name !== '');
    const found = listed.filter((name) => existsSync(name));
    if (found.length === 0) throw missing(`KUBECONFIG names ${listed.join(', ')}, which is not there.`);
    return found;
  }
  const usual = join(env['HOME'] ?? homedir(), '.kube', 'config');
  return existsSync(usual) ? [usual] : [];
}

async function inCluster(choice: KubeconfigChoice, env: NodeJS.ProcessEnv): Promise<PersonalCredentials> {
  if (!env['KUBERNETES_SERVICE_HOST'] || choice.context !== undefined) {
    throw missing(
      'There is no kubeconfig: neither --kubeconfig nor KUBECONFIG is given, and ~/.kube/config is not there.',
    );
  }
  const namespace = await readFile(NAMESPACE_FILE, 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
  return { ...serviceAccount(env), ...(namespace === '' ? {} : { namespace }) };
}

function missing(message: string): HoldfastError {
  return new HoldfastError('NoKubeconfig', message, { hint: HINT });
}

function noContext(name: string, contexts: readonly { readonly name: string }[], files: readonly string[]) {
  const known = contexts.map((context) => context.name).join(', ');
  const message = name
    ? `There is no context "${name}" in ${files.join(', ')}.`
    : `${files.join(', ')} has no current context.`;
  return new HoldfastError('NoContext', message, {
    hint: known === '' ? HINT : `Give --context one of: ${known}.`,
  });
}
