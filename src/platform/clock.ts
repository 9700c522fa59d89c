/** The only place that asks the machine for the time; everything else takes an instant as an argument. */
export function now(): Date {
  return new Date();
}
