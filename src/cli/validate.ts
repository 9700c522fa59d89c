import { readFile } from 'node:fs/promises';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import { EXIT } from './output.ts';
import type { Cli } from './session.ts';
import { validateText } from './validate/file.ts';
import { problemsOf } from './validate/object.ts';
import { type Problem, shownPath } from './validate/problem.ts';
import { plural } from './words.ts';

/** Files against everything that the API server and the operator would refuse of them, without asking either. */
export async function validate(cli: Cli, options: { readonly filename: readonly string[] }): Promise<number> {
  let wrong = 0;
  let checked = 0;
  for (const file of options.filename) {
    const verdict = validateText(await textOf(cli, file), cli.now());
    wrong += verdict.findings.length;
    checked += verdict.checked.length;
    for (const { line, field, message } of verdict.findings) {
      const place = cli.output.paint('bold', `${file}:${line}:`);
      cli.output.data(`${place} ${field === '' ? '' : `${field}: `}${message}`);
    }
    if (verdict.others.length > 0) cli.output.say(`${file}: not checked, of other kinds: ${verdict.others.join(', ')}`);
  }
  if (wrong > 0) {
    cli.output.say(`${plural(wrong, 'problem')} in ${plural(checked, 'object')}; nothing was sent.`);
    return EXIT.failed;
  }
  if (checked === 0) {
    cli.output.failure({
      message: `There is no object of holdfast.dev in ${options.filename.join(', ')}.`,
      hint: 'Each begins with "apiVersion: holdfast.dev/v1alpha1".',
    });
    return EXIT.failed;
  }
  cli.output.say(`${plural(checked, 'object')} checked, nothing wrong.`);
  return EXIT.ok;
}

/** Throws what the API server would refuse of an object of ours, before it is sent. */
export function mustBeValid(object: { readonly kind: string; readonly metadata: { readonly name: string } }): void {
  const problems = problemsOf(object);
  if (problems.length === 0) return;
  throw new HoldfastError(
    'Invalid',
    `The ${object.kind} "${object.metadata.name}" would not be valid: ${problems.map(sentence).join('; ')}.`,
  );
}

function sentence({ path, message }: Problem): string {
  return `${shownPath(path)}: ${message}`;
}

async function textOf(cli: Cli, file: string): Promise<string> {
  if (file === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of cli.stdin as AsyncIterable<Buffer>) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('utf8');
  }
  try {
    return await readFile(file, 'utf8');
  } catch (caught) {
    throw new HoldfastError('FileUnreadable', `${file} cannot be read: ${messageOf(caught)}`, { cause: caught });
  }
}
