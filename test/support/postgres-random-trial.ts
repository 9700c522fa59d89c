/** One check for many seeds, and every seed that fails it. */

/** As many at a time as keep two processors busy: each waits for its server and its programs most of the time. */
const LANES = 3;

/** How many. Set both variables to look for more, or to see one again: HOLDFAST_SEED=17042 HOLDFAST_SCHEMAS=1. */
export const seedCount = (usual: number): number => Number(process.env['HOLDFAST_SCHEMAS'] || usual);

export function seedsFrom(usual: number, count: number): readonly number[] {
  const first = Number(process.env['HOLDFAST_SEED'] || usual);
  return Array.from({ length: count }, (_, n) => first + n);
}

/** What went wrong, each failure with its seed. */
export async function failuresOf(
  major: number,
  seeds: readonly number[],
  check: (seed: number) => Promise<void>,
): Promise<readonly string[]> {
  const left = [...seeds];
  const failures: string[] = [];
  const lane = async () => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const said = `seed ${seed} on PostgreSQL ${major}`;
      await check(seed).catch((error: unknown) => {
        failures.push(`${said}: ${error instanceof Error ? error.message : error}`);
      });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return failures;
}
