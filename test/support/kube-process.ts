/** The operator as a process of its own, as in its container, but on this machine and behind a proxy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { waitFor } from '../cluster/wait.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'main', 'controller.mjs');

type Line = Record<string, unknown>;

export class OperatorProcess {
  readonly log: Line[] = [];
  exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined;
  private readonly child: ChildProcess;
  private rest = '';

  constructor(environment: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], ...environment },
    });
    this.child.stdout?.on('data', (chunk: Buffer) => this.read(chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => this.log.push({ level: 'stderr', msg: chunk.toString() }));
    this.child.once('exit', (code, signal) => {
      this.exit = { code, signal };
    });
  }

  static behind(kubeconfig: string, more: Readonly<Record<string, string>> = {}): OperatorProcess {
    return new OperatorProcess({
      KUBECONFIG: kubeconfig,
      HOLDFAST_CLUSTER_NAME: 'test',
      HOLDFAST_NAMESPACE: 'holdfast-system',
      HOLDFAST_RUNNER_IMAGE: 'localhost/holdfast:test',
      HOLDFAST_PORT: '0',
      ...more,
    });
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  said(message: string): boolean {
    return this.log.some(({ msg }) => msg === message);
  }

  async says(message: string, within = 20_000): Promise<void> {
    await this.until(async () => this.said(message), `it never said "${message}"`, within);
  }

  async ends(within = 20_000): Promise<void> {
    await this.until(async () => this.exit !== undefined, 'it did not end', within);
  }

  async until(there: () => Promise<boolean>, what: string, within = 20_000): Promise<void> {
    await waitFor(there, {
      timeoutMs: within,
      everyMs: 30,
      otherwise: () => `${what}; its log:\n${this.log.map((line) => JSON.stringify(line)).join('\n')}`,
    });
  }

  /** `/healthz`, `/readyz` or `/metrics`. */
  async get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const port = this.log.find(({ msg }) => msg === 'started')?.['port'];
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.exit !== undefined) return;
    this.child.kill('SIGCONT');
    this.child.kill('SIGKILL');
    await this.ends();
  }

  private read(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.log.push(JSON.parse(line) as Line);
  }
}
