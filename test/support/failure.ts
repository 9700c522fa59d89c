/** What a promise was rejected with. A word that no expectation of an error fits where it was not. */
export const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it went well',
    (error: unknown) => error,
  );
