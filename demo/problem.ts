/** Something that the demo cannot go on from, with what to do next and, where it helps, facts to look at. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly next: string;
  readonly facts: string | undefined;

  constructor(message: string, next: string, options: { facts?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.next = next;
    this.facts = options.facts;
  }
}
