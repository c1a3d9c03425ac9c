import { type TSchema, Type } from 'typebox';

/** `null` counts as absent, as in OpenAI's own service. */
export const optional = <Schema extends TSchema>(schema: Schema) =>
  Type.Optional(Type.Union([schema, Type.Null()]));
