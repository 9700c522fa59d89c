/** kubectl as a person uses it, by argument lists and never through a shell. */
import { stringify } from 'yaml';
import { run } from '../test/cluster/command.ts';

export class Kubectl {
  readonly program: string;
  readonly kubeconfig: string;
  readonly namespace: string;

  constructor(program: string, kubeconfig: string, namespace: string) {
    this.program = program;
    this.kubeconfig = kubeconfig;
    this.namespace = namespace;
  }

  /** Standard output of a kubectl call; `input` is its standard input. Throws what kubectl complains about. */
  call(args: readonly string[], input?: string): Promise<string> {
    const all = ['--kubeconfig', this.kubeconfig, '--namespace', this.namespace, ...args];
    return run(this.program, all, input === undefined ? {} : { input });
  }

  /** Creates what is not there and changes what is. */
  async apply(objects: readonly unknown[]): Promise<void> {
    await this.call(['apply', '-f', '-'], objects.map((object) => stringify(object)).join('---\n'));
  }

  /** Undefined where there is no such object. */
  async get<T>(resource: string, name: string): Promise<T | undefined> {
    const text = await this.call(['get', resource, name, '--ignore-not-found', '-o', 'json']);
    return text.trim() === '' ? undefined : (JSON.parse(text) as T);
  }

  async list<T>(resource: string, selector?: string): Promise<readonly T[]> {
    const selection = selector === undefined ? [] : ['-l', selector];
    const text = await this.call(['get', resource, ...selection, '-o', 'json']);
    return (JSON.parse(text) as { items: readonly T[] }).items;
  }

  rolledOut(deployment: string, timeout = '180s'): Promise<string> {
    return this.call(['rollout', 'status', `deployment/${deployment}`, `--timeout=${timeout}`]);
  }
}
