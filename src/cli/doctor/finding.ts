/** What an examination says of one thing. */
export interface Finding {
  /** What was looked at: `operator`, `store cellar`. */
  readonly subject: string;
  /**
   * - `ok`: as it should be
   * - `note`: worth knowing, nothing to do
   * - `wrong`: somebody has to do something
   * - `unknown`: we may not look
   */
  readonly verdict: 'ok' | 'note' | 'wrong' | 'unknown';
  readonly message: string;
  readonly next?: string;
}

/** An answer of the API server, or why there is none. */
export type Answer<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly why: string };
