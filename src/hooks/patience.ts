/** Milliseconds. The hook's role was bound a moment ago, and of several API servers each learns of it in its own time. */
export const RIGHTS_ARRIVE_MS = 10_000;
