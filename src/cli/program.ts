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
  addDrill(program, cli, onExit);
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
    .command('restore [backup]')
    .description('put a backup back: shows the plan and asks before it begins')
    .option(
      '--scale-down <workload>',
      'deployment/NAME or statefulset/NAME, at zero meanwhile; may be repeated',
      collect,
    )
    .addOption(new Option('--on-conflict <what>', 'when the database has data').choices(['Fail', 'Skip', 'Replace']))
    .option('--database <name>', 'the one database to take out of the backup of a whole server; absent: all of them')
    .option('--latest <schedule>', 'instead of a backup: the newest Complete one of this schedule')
    .option('--before <time>', 'with --latest: no data of after this instant, such as 2026-11-22T12:00:00Z')
    .option(
      '--from-archive <store/path>',
      'instead of a backup: an archive that has none here, by its BackupStore and its path in the bucket',
    )
    .option('--target-database <name>', 'another database than its own')
    .option('--target-host <host>', 'another server; an archive without a Backup does not tell its own')
    .option('--target-secret <name>', 'with username and password for the target')
    .option('--no-safety-backup', 'make no Backup of what is replaced, which else comes before anything is touched')
    .option('--keep-previous <duration>', 'how long the replaced database is kept (default: 24h)')
    .option(
      '--start-deadline <duration>',
      'how long it may wait for what it needs, such as a backup at work (default: 1h)',
    )
    .option('--identity <secret/key>', 'the private key, from a Secret of the namespace')
    .option('--identity-file <file>', 'the private key, from here; it is in the cluster for this restore only')
    .option('--name <name>', "the Restore's name; default: a fresh one")
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'follow it to its end; the exit code tells how it ended')
    .option('--force <reason>', 'a refusal that you take on, by the name that the plan gives; may be repeated', collect)
    .option(
      '--ownership <role>',
      'for an archive that you do not trust: this plain role loads and owns everything, and nothing is granted',
    )
    .option(
      '--plan',
      'have the operator look at archive and target by a Restore that touches nothing, print all that it found, and remove it',
    )
    .option('--keep', 'with --plan: the Restore stays')
    .option('--dry-run', 'print the Restore and what is known of it here; nothing is sent, nobody looks at the archive')
    .addOption(dataOption())
    .action(async (backup, _options, command: Command) => {
      onExit(await (await import('./restore.ts')).restore(cli, backup, command.optsWithGlobals()));
    });
  program
    .command('undo <restore>')
    .description('bring back what a restore replaced, while it is kept: says what happens and asks before it begins')
    .option(
      '--scale-down <workload>',
      'as of restore; may be repeated (default: those that the restore took to zero)',
      collect,
    )
    .option('--keep-previous <duration>', 'how long what is live now is kept (default: as the restore said)')
    .option('--name <name>', "the new Restore's name; default: a fresh one")
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'follow it to its end; the exit code tells how it ended')
    .option('--dry-run', 'show what would happen, print the Restore, send nothing')
    .addOption(dataOption())
    .action(async (name, _options, command: Command) => {
      onExit(await (await import('./undo.ts')).undo(cli, name, command.optsWithGlobals()));
    });
}

function addDrill(program: Command, cli: Cli, onExit: OnExit): void {
  program
    .command('drill [backup]')
    .description('restore a backup into a server that is thrown away, and tell what was in it; touches no database')
    .option('--schedule <name>', 'the newest backup of this schedule, as its own drills do')
    .option('--check <name=query>', 'a query that must answer true on what was restored; may be repeated', collect)
    .option('--image <image>', "of the server, with the extensions that the database uses (default: the operator's)")
    .option('--storage <size>', 'how much of the disk of a node it may take, such as 20Gi')
    .option('--database <name>', 'the one database to take out of the backup of a whole server; absent: all of them')
    .option('--identity <secret/key>', 'the private key, from a Secret of the namespace')
    .option('--identity-file <file>', 'the private key, from here; it is in the cluster for this drill only')
    .option('--name <name>', "the Restore's name; default: a fresh one")
    .option('--no-wait', 'do not follow it to its end')
    .option('--dry-run', 'print the Restore, send nothing')
    .addOption(dataOption())
    .action(async (backup, _options, command: Command) => {
      onExit(await (await import('./drill.ts')).drill(cli, backup, command.optsWithGlobals()));
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
