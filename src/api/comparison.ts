import Type, { type Static } from 'typebox';

/** What was compared before a restore, and what came of it. */
export const ComparisonSchema = Type.Object({
  of: Type.String({ maxLength: 64, description: 'What: PostgreSQL, or the application.' }),
  archive: Type.Optional(Type.String({ maxLength: 256, description: 'That the archive is of; absent: not known.' })),
  target: Type.Optional(Type.String({ maxLength: 256, description: 'That runs there; absent: not known.' })),
  verdict: Type.Enum(['Fits', 'Refused', 'NotJudged']),
});

export type Comparison = Static<typeof ComparisonSchema>;
