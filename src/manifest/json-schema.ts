import * as z from 'zod';
import { manifestSchema } from './schema.ts';

/**
 * The text of `schema/devctl.schema.json`, for editors: what may be written in a manifest, with the
 * descriptions. Not part of the bundle; `scripts/schema.mjs` writes it.
 */
export function manifestJsonSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(manifestSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      // The limits of JavaScript's numbers tell nobody anything.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  const titled = { $schema, title: 'devctl manifest (.devctl.json)', ...schema };
  const commented = { ...titled, allowComments: true, allowTrailingCommas: true };
  return `${JSON.stringify(commented, null, 2)}\n`;
}
