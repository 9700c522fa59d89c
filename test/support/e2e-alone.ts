/** Files of end-to-end tests that nothing may run beside: each installs, upgrades or kills the operator that the others' runs wait for, changes the shared server, or measures time. */
const ALONE = [
  'chart-life-cycle.test.ts',
  'chart-values.test.ts',
  'operator-killed.test.ts',
  'restore-speed.test.ts',
  'some-namespaces.test.ts',
  'tls.test.ts',
];

export function isAlone(path: string): boolean {
  return ALONE.some((name) => path.endsWith(`/e2e/${name}`));
}
