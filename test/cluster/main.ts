/** `node test/cluster/main.ts up|down|status [--number N] [--api-only]` */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { upApiServer } from './api-server.ts';
import { clusterStatus, downCluster, upCluster } from './cluster.ts';
import { say } from './progress.ts';

const USAGE = `usage: node test/cluster/main.ts up|down|status [--number N] [--api-only]

  up       bring up cluster N (1 unless told otherwise) and print where its kubeconfig is
  down     end it and remove all that it had
  status   say what there is of it

  up --api-only   an API server with etcd alone, in the foreground: it ends with this command
`;

interface Request {
  command: string;
  number: number;
  apiOnly: boolean;
}

async function main(): Promise<void> {
  const request = parse(process.argv.slice(2));
  if (request.command === 'up') return request.apiOnly ? upApiOnly() : up(request.number);
  if (request.apiOnly) throw new Error('--api-only goes with "up" alone: what it starts ends with Ctrl-C');
  if (request.command === 'down') return down(request.number);
  if (request.command === 'status') return status(request.number);
  throw new Error(USAGE);
}

function parse(args: string[]): Request {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { number: { type: 'string', default: '1' }, 'api-only': { type: 'boolean', default: false } },
  });
  return { command: positionals[0] ?? '', number: Number(values.number), apiOnly: values['api-only'] };
}

async function up(number: number): Promise<void> {
  const { kubeconfig } = await upCluster({ number });
  say(`cluster ${number} is ready`);
  printKubeconfig(kubeconfig);
}

async function upApiOnly(): Promise<void> {
  const server = await upApiServer();
  say(`API server ready at ${server.url}; Ctrl-C ends it`);
  printKubeconfig(server.kubeconfig);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await server.stop();
}

async function down(number: number): Promise<void> {
  await downCluster({ number });
  say(`nothing is left of cluster ${number}`);
}

async function status(number: number): Promise<void> {
  const { state, processes, dir, kubeconfig } = await clusterStatus({ number });
  say(`cluster ${number} is ${state}${processes > 0 ? ` with ${processes} processes` : ''}; its folder is ${dir}`);
  if (state === 'ready') printKubeconfig(kubeconfig);
}

/** The one line on standard output: it can be read by a person and by a shell's `export $(…)`. */
function printKubeconfig(path: string): void {
  process.stdout.write(`KUBECONFIG=${path}\n`);
}

/** A message and what led to it, the last one first. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\n${explain(error.cause)}`;
}

try {
  await main();
} catch (error) {
  say(explain(error));
  process.exitCode = 1;
}
