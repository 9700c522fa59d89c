/** Chance that can be repeated, and the names that people and programs really give to things. */

export interface Random {
  /** From `low` to `high`, both included. */
  int(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** Up to `most` different ones, in any order. */
  some<T>(list: readonly T[], most: number): readonly T[];
}

/** The same seed gives the same choices (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  return {
    int,
    chance: (probability) => next() < probability,
    pick: <T>(list: readonly T[]) => list[int(0, list.length - 1)] as T,
    some: (list, most) => {
      const left = [...list];
      return Array.from({ length: Math.min(int(0, most), left.length) }, () =>
        left.splice(int(0, left.length - 1), 1),
      ).flat();
    },
  };
}

export type Encoding = 'UTF8' | 'LATIN1' | 'SQL_ASCII';

const NAMES: readonly ((n: number) => string)[] = [
  (n) => `plain_${n}`,
  (n) => `plain_${n}`,
  (n) => `Capital Words ${n}`,
  (n) => `with.dots.${n}`,
  (n) => `it's "quoted" ${n}`,
  (n) => `a"."b${n}`,
  (n) => `-dash ${n}; --`,
  (n) => `two\nlines ${n}`,
  (n) => `\n\\! echo ${n}`,
  (n) => `back\\slash ${n}`,
  (n) => `$$${n}$$`,
  (n) => `%s%n ${n}`,
  (n) => `${n}`,
  (n) => ` space ${n} `,
  (n) => `tab\t${n}`,
  (n) => `select ${n}`,
  (n) => `*?[${n}]`,
  (n) => `/* ${n} */`,
  (n) => `${'long_'.repeat(12)}${n}`.slice(-63),
];

const NAMES_OF_ENCODING: Readonly<Record<Encoding, readonly ((n: number) => string)[]>> = {
  UTF8: [(n) => `naïve ${n}`, (n) => `日本 ☂ ${n}`, (n) => `😀${n}`],
  LATIN1: [(n) => `façade ÿ ${n}`],
  SQL_ASCII: [(n) => `bytes é ${n}`],
};

/** Makes names that never repeat. */
export function nameMaker(random: Random, encoding: Encoding): () => string {
  const makers = [...NAMES, ...NAMES_OF_ENCODING[encoding]];
  let made = 0;
  return () => {
    made += 1;
    return random.pick(makers)(made);
  };
}

/** Something to say about an object. */
export function randomText(random: Random, encoding: Encoding): string {
  const words = [
    "it's",
    '"quoted"',
    'a\\b',
    'line\nbreak',
    'tab\t',
    '',
    '$tag$',
    "'; DROP TABLE x; --",
    '\\.',
    'ordinary',
  ];
  const own = { UTF8: ['é ☂ 😀', '\u0301'], LATIN1: ['ÿ ß'], SQL_ASCII: ['é'] }[encoding];
  return Array.from({ length: random.int(1, 4) }, () => random.pick([...words, ...own])).join(' ');
}
