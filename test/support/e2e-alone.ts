/** Files of end-to-end tests that nothing may run beside: each changes the shared server, or measures time. */
const ALONE = ['restore-speed.test.ts', 'tls.test.ts'];

export function isAlone(path: string): boolean {
  return ALONE.some((name) => path.endsWith(`/e2e/${name}`));
}
