/** Amounts of bytes as Kubernetes writes them. */

const POWERS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
  Pi: 1024 ** 5,
};

export const BYTES_PATTERN = '^[0-9]+([.][0-9]+)?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$';

/** `500Gi`, `1.5T` or a plain number of bytes, as bytes. Throws on what the pattern does not fit. */
export function parseBytes(quantity: string | number): number {
  if (typeof quantity === 'number') return quantity;
  const [found, digits = '', fraction = '', unit = ''] =
    /^([0-9]+)([.][0-9]+)?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$/.exec(quantity) ?? [];
  if (found === undefined) throw new Error(`not a number of bytes: ${quantity}`);
  return Math.floor(Number(`${digits}${fraction}`) * (POWERS[unit] ?? 1));
}
