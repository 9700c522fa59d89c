/** Every command, argument and option. What a command does is in the file of its name, loaded only when it runs. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { SCRIPTS, SHELLS, type Shell } from './completion.ts';
import { EXIT, FORMATS } from './output.ts';
import type { Cli } from './session.ts';

/** Told the exit code of the command that ran. */
export type OnExit = (code: number) => void;

export function newProgram(cli: Cli, version: string, onExit: OnExit): Command {
  const program = new Command('kubectl holdfast')
    .description('Backups of databases in this cluster, and the way back. It works with your own rights.')
    .version(version, '--version', 'print the version')
    .option('-n, --namespace <name>', "namespace; default: the kubeconfig context's")
    .option('--kubeconfig <file>', 'kubeconfig; default: as for kubectl')
    .option('--context <name>', 'context of the kubeconfig')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => cli.output.data(text.trimEnd()),
      writeErr: (text) => cli.output.say(text.trimEnd()),
      outputError: (text) =>
        cli.output.failure({ message: text.replace(/^error: /, '').trimEnd(), hint: '--help tells what there is.' }),
    })
    .addHelpText(
      'after',
      `\nExit codes: ${EXIT.ok} done, ${EXIT.failed} failed or something is wrong, ${EXIT.usage} asked wrongly.`,
    );
  addKey(program, cli, onExit);
  addRuns(program, cli, onExit);
  addLooks(program, cli, onExit);
  addTools(program, cli, onExit);
  return program;
}

const outputOption = () => new Option('-o, --output <format>', 'another form of the answer').choices([...FORMATS]);
const dataOption = () => new Option('-o, --output <format>', 'another form of the answer').choices(['json', 'yaml']);

function addKey(program: Command, cli: Cli, onExit: OnExit): void {
  const key = program.command('key').description('who can open archives');
  key
    .command('create <name>')
    .description('make a key pair here; the cluster learns the public half only')
    .option('--default', 'backups that name no key use it')
    .option('--out <file>', 'where the private key goes; "-": standard output (default: NAME.key)')
    .option('--post-quantum', 'a hybrid key, that a quantum computer does not break either')
    .option(
      '--store-identity',
      'also store the private key in the cluster: restores need nothing else, and the cluster can read its own past',
    )
    .option('--dry-run', 'make the pair, print the BackupKey, send nothing')
    .action(async (name, _options, command: Command) => {
      onExit(await (await import('./key-create.ts')).keyCreate(cli, name, command.optsWithGlobals()));
    });
  key
    .command('list')
    .description('keys of the namespace, and their readers')
    .addOption(outputOption())
    .action(async (_options, command: Command) => {
      onExit(await (await import('./key-list.ts')).keyList(cli, command.optsWithGlobals()));
    });
  key
    .command('export <name>')
    .description('a private key that is stored in the cluster, into a file under a passphrase')
    .requiredOption('--out <file>', 'the file; one that is there is never overwritten')
    .option('--passphrase-file <file>', 'read the passphrase from there instead of asking')
    .action(async (name, _options, command: Command) => {
      onExit(await (await import('./key-export.ts')).keyExport(cli, name, command.optsWithGlobals()));
    });
}

function addRuns(program: Command, cli: Cli, onExit: OnExit): void {
  program
    .command('backup [name]')
    .description('back up once more, now')
    .option('--from <schedule>', 'as this schedule does; its retention counts it')
    .option('--like <backup>', 'as this backup was')
    .option('--wait', 'follow it to its end; the exit code tells how it ended')
    .option('--dry-run', 'print the Backup, send nothing')
    .action(async (name, _options, command: Command) => {
      onExit(await (await import('./backup.ts')).backup(cli, name, command.optsWithGlobals()));
    });
  program
    .command('restore <backup>')
    .description('put a backup back: shows the plan and asks before it begins')
    .option(
      '--scale-down <workload>',
      'deployment/NAME or statefulset/NAME, at zero meanwhile; may be repeated',
      collect,
    )
    .addOption(new Option('--on-conflict <what>', 'when the database has data').choices(['Fail', 'Replace']))
    .option('--database <name>', 'the one database to take out of the backup of a whole server; absent: all of them')
    .option('--target-database <name>', 'another database on the same server')
    .option('--keep-previous <duration>', 'how long the replaced database is kept (default: 24h)')
    .option('--identity <secret/key>', 'the private key, from a Secret of the namespace')
    .option('--identity-file <file>', 'the private key, from here; it is in the cluster for this restore only')
    .option('--name <name>', "the Restore's name; default: a fresh one")
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'follow it to its end; the exit code tells how it ended')
    .option('--dry-run', 'show the plan, print the Restore, send nothing')
    .action(async (backup, _options, command: Command) => {
      onExit(await (await import('./restore.ts')).restore(cli, backup, command.optsWithGlobals()));
    });
}

function addLooks(program: Command, cli: Cli, onExit: OnExit): void {
  program
    .command('list')
    .description('backups, newest first')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('--schedule <name>', 'only those of this schedule')
    .addOption(outputOption())
    .action(async (_options, command: Command) => {
      onExit(await (await import('./list.ts')).list(cli, command.optsWithGlobals()));
    });
  program
    .command('status')
    .description('everything of the namespace at a glance')
    .option('-w, --watch', 'go on, with what is at work')
    .addOption(outputOption())
    .action(async (_options, command: Command) => {
      onExit(await (await import('./status.ts')).status(cli, command.optsWithGlobals()));
    });
  program
    .command('inspect <backup>')
    .description('all that is known of a backup, who can open it, and how by hand')
    .addOption(dataOption())
    .action(async (backup, _options, command: Command) => {
      onExit(await (await import('./inspect.ts')).inspect(cli, backup, command.optsWithGlobals()));
    });
  program
    .command('schedule')
    .description('when schedules run')
    .command('next <name>')
    .description('the next runs, in the time zone of the schedule')
    .option('-c, --count <n>', 'how many', wholeNumber, 5)
    .addOption(dataOption())
    .action(async (name, _options, command: Command) => {
      onExit(await (await import('./schedule-next.ts')).scheduleNext(cli, name, command.optsWithGlobals()));
    });
}

function addTools(program: Command, cli: Cli, onExit: OnExit): void {
  program
    .command('doctor')
    .description('look for what is wrong, and say what to do about it')
    .addOption(dataOption())
    .action(async (_options, command: Command) => {
      onExit(await (await import('./doctor.ts')).doctor(cli, command.optsWithGlobals()));
    });
  program
    .command('validate')
    .description(
      'YAML files against all that the API server and the operator would refuse, with line numbers; asks nobody',
    )
    .requiredOption('-f, --filename <file>', 'the file; "-": standard input; may be repeated', collect)
    .action(async (options) => {
      onExit(await (await import('./validate.ts')).validate(cli, options));
    });
  program
    .command('completion')
    .description('a script for your shell')
    .addArgument(program.createArgument('<shell>').choices([...SHELLS]))
    .action((shell: Shell) => cli.output.data(SCRIPTS[shell]));
  program
    .command('__complete [words...]', { hidden: true })
    .allowUnknownOption()
    .action(async (words: string[]) => {
      await (await import('./complete.ts')).complete(cli, program, words);
    });
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

const MOST = 1_000;

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < 1 || value > MOST)
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST}.`);
  return value;
}
