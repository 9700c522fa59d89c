import Type from 'typebox';

/** A version as the app writes it. Whether it can be read is told by the plan of a restore, which may be forced. */
export const ApplicationVersion = (description: string) =>
  Type.String({ minLength: 1, maxLength: 64, pattern: '^[^\\x00-\\x1f\\x7f]+$', description });
