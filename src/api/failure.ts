import Type from 'typebox';

/** Schema of lib/errors' Failure. */
export const FailureSchema = Type.Object(
  {
    reason: Type.String({ maxLength: 128 }),
    message: Type.String({ maxLength: 4096 }),
    hint: Type.Optional(Type.String({ maxLength: 4096 })),
  },
  { description: 'Why the run failed, or what it waits for, with the next step.' },
);
