import * as z from 'zod/mini';
import { manifestSchema } from './schema.ts';

/**
 * Builds the text of `schema/devctl.schema.json`, which editors use: the keys of a manifest with their
 * descriptions. `scripts/schema.mjs` writes the file. This module is not in the bundle.
 */
export function manifestJsonSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(manifestSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      // zod adds the limits of JavaScript's numbers, which say nothing to the author of a manifest.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  // As in `checkSemantics`: there is anything to start.
  const anyOf = ['services', 'containers'].map((name) => ({
    type: 'object',
    properties: { [name]: {} },
    required: [name],
  }));
  const titled = { $schema, title: 'devctl manifest (.devctl.json)', ...schema, anyOf };
  const commented = { ...titled, allowComments: true, allowTrailingCommas: true };
  return `${compactly(commented, '')}\n`;
}

/** The longest line on which a value stands whole. */
const WIDTH = 200;

/** Writes JSON with each value on one line where it fits: indentation of every brace would be a fifth of the file in the package. */
function compactly(value: unknown, indent: string): string {
  const whole = JSON.stringify(value);
  if (whole.length + indent.length <= WIDTH || typeof value !== 'object' || value === null)
    return whole;
  const inner = `${indent} `;
  const parts = Array.isArray(value)
    ? value.map((item) => compactly(item, inner))
    : Object.entries(value).map(
        ([key, item]) => `${JSON.stringify(key)}: ${compactly(item, inner)}`,
      );
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}`;
}
