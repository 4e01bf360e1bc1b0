// Makes the tables of docs/manifest.md from the JSON Schema, and from the examples of fixtures/every-key.json.
import { code, table } from './pages.mjs';

/** The pages that tell more about a key that has keys of its own. */
const PAGES = {
  ready: 'readiness.md',
  live: 'readiness.md',
  restart: 'restarts.md',
  stop: 'how-stop-decides.md',
  on: 'hooks.md',
  limits: 'resources.md',
  logs: 'logs.md#rotation',
  sweep: 'sweep.md',
  containers: 'containers.md',
};

/** @returns the tables with their headings */
export function manifestTables(schema, examples) {
  const ofService = schema.properties.services.additionalProperties;
  const shapes = new Map(
    [
      ['command', ofService.properties.command],
      ['time', schema.properties.stopGrace],
      ['size', schema.properties.logs.properties.maxSize],
      ['cores', ofService.properties.limits.properties.cpu],
    ].map(([name, shape]) => [textOf(shape), name]),
  );
  const places = [
    ...partsOf(ofService, 'of a service', Object.values(examples.services)),
    ...partsOf(schema, 'of the project', [examples]),
  ];
  const before = new Map();
  return places
    .map(({ heading, object, values, page }) => {
      const all = Object.entries(object.properties);
      // `live` has most keys of `ready`, with the same words.
      const isKnown = ([key, one]) =>
        heading.startsWith('### live') && before.get(key) === JSON.stringify(one);
      const same = all.filter(isKnown).map(([key]) => code(key));
      const rows = all
        .filter((entry) => !isKnown(entry))
        .map(([key, one]) => rowOf({ key, one, object, values, heading, shapes }));
      for (const [key, one] of all) before.set(key, JSON.stringify(one));
      const notes = [
        ...(same.length > 0 ? [`${same.join(', ')} are those of \`ready\`.`] : []),
        ...(page ? [`More: [${page.replace(/\.md.*/, '')}](${page}).`] : []),
      ];
      return [
        heading,
        ...(notes.length > 0 ? [notes.join(' ')] : []),
        table(['key', 'type', 'default', 'example', ''], rows),
      ].join('\n\n');
    })
    .join('\n\n');
}

/** The keys of an object, then those of each object in it. */
function partsOf(object, ofWhich, values) {
  const inner = Object.entries(object.properties).flatMap(([key, one]) => {
    const own = objectOf(one);
    if (own === null) return [];
    const found = values.flatMap((value) => (isObject(value[key]) ? [value[key]] : []));
    return [{ heading: `### ${key} ${ofWhich}`, object: own, values: found, page: PAGES[key] }];
  });
  return [{ heading: `## Keys ${ofWhich}`, object, values }, ...inner];
}

function rowOf({ key, one, object, values, heading, shapes }) {
  const { description, byDefault } = splitDescription(one.description);
  const example = values.map((value) => value[key]).find((value) => value !== undefined);
  if (example === undefined) throw new Error(`fixtures/every-key.json has no ${key} ${heading}`);
  const ofWhich = heading.replace(/^#+ \S+ /, '');
  const type = objectOf(one)
    ? typeOf(one, shapes).replace('keys', `[keys](#${`${key} ${ofWhich}`.replaceAll(' ', '-')})`)
    : typeOf(one, shapes);
  const needed = object.required?.includes(key) ? 'needed' : byDefault;
  return [code(key), type, needed, exampleOf(one, example), description];
}

/** An object is shown by its keys in a table of its own, or is too long for a cell. */
function exampleOf(one, value) {
  if (one.additionalProperties?.properties) return `${code('{"web": {…}}')}`;
  if (objectOf(one) !== null && isObject(value)) {
    const [[key, first], ...others] = Object.entries(value);
    const text = spaced({ [key]: first });
    return code(others.length > 0 ? text.replace(/\}$/, ', …}') : text);
  }
  return code(spaced(value));
}

function spaced(value) {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const entries = Object.entries(value).map(
    ([key, one]) => `${JSON.stringify(key)}: ${spaced(one)}`,
  );
  return `{${entries.join(', ')}}`;
}

/** Splits "…. Default: "3s"." into its two facts. */
function splitDescription(text) {
  const [, description, byDefault] = /^(.*?)(?:\.? ?Default: (.*)\.)?$/s.exec(text);
  const told = /[.?]$/.test(description) ? description : `${description}.`;
  return { description: told, byDefault: defaultCell(byDefault) };
}

function defaultCell(text = '') {
  try {
    JSON.parse(text);
    return code(text);
  } catch {
    return text;
  }
}

/** @returns the type of a value in words */
function typeOf(one, shapes) {
  const named = shapes.get(textOf(one));
  if (named !== undefined) return named;
  if ('const' in one) return code(JSON.stringify(one.const));
  if (one.enum) return one.enum.map((value) => code(JSON.stringify(value))).join(', ');
  const union = one.anyOf ?? one.oneOf;
  if (union && !one.properties) {
    const words = union.map((part) => typeOf(part, shapes));
    return [...new Set(words)].join(' or ');
  }
  if (Array.isArray(one.type)) return one.type.map((type) => typeOf({ type }, shapes)).join(' or ');
  if (one.type === 'array') return `list of ${typeOf(one.items, shapes)}`;
  if (one.type === 'object') {
    if (one.properties) return 'keys';
    const inner = one.additionalProperties;
    return inner.properties
      ? 'map to [keys](#keys-of-a-service)'
      : `map to ${typeOf(inner, shapes)}`;
  }
  if (one.type === 'boolean') return '`true`, `false`';
  if (one.type === 'integer') return one.maximum === 65_535 ? 'port' : 'whole number';
  if (one.pattern?.endsWith('/udp$')) return code('"PORT/udp"');
  return one.type === 'string' ? 'text' : one.type;
}

/** @returns the object with keys that a value may be; null where there is none */
function objectOf(one) {
  if (one.properties) return one;
  return (one.anyOf ?? one.oneOf ?? []).find((part) => part.properties) ?? null;
}

function textOf({ description, ...shape }) {
  return JSON.stringify(shape);
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
