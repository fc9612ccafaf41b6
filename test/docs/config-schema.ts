import type { Option, Table } from '../../src/config/option.ts';

type Schema = Readonly<Record<string, unknown>>;

/** A duration, or text with a variable in it. */
const DURATION = '^(none|0|[0-9]+(\\.[0-9]+)?(ms|MS|s|S|m|M|h|H)|.*\\$.*)$';

/** What the configuration file may have for each kind of placeholder in a flag; any other one takes text. */
const KINDS: ReadonlyMap<string, Schema> = new Map<string, Schema>([
  ['n', { type: 'integer', minimum: 0 }],
  ['n|auto', { type: ['integer', 'string'], minimum: 1, pattern: '^(auto|\\d+)$' }],
  ['duration', { type: 'string', pattern: DURATION }],
  ['size', { type: ['string', 'integer'], minimum: 0 }],
  ['max', { type: ['string', 'integer', 'boolean'] }],
  ['=n', { type: ['integer', 'boolean'] }],
  ['n[/s|/m|/h]', { type: ['string', 'number'] }],
  ['list', { type: ['string', 'integer', 'array'], items: { type: ['string', 'integer'] } }],
  ['ratio', { type: 'number', minimum: 1 }],
  ['address', { type: ['string', 'integer'] }],
  ['name|n', { type: ['string', 'integer'] }],
]);

/** The settings of one host, by key. */
const HOST_SETTINGS: Readonly<Record<string, Schema>> = {
  headers: { type: ['string', 'array', 'object'] },
  perHost: { type: 'integer', minimum: 1 },
  hostRate: { type: ['string', 'number'] },
  timeout: { type: 'string', pattern: DURATION },
  accept: { type: ['string', 'integer', 'array'], items: { type: ['string', 'integer'] } },
  insecure: { type: 'boolean' },
  user: { type: 'string' },
};

const HOSTS: Schema = {
  type: 'object',
  additionalProperties: { type: 'object', additionalProperties: false, properties: HOST_SETTINGS },
};

/** Returns the JSON schema of the configuration file: a key for each option that a file may have. */
export function configSchema(table: Table): string {
  const entries = Object.entries(table).filter(([, { notInFile }]) => notInFile !== true);
  const properties = entries
    .map(([key, option]) => [key, propertyOf(option)] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration of fanout',
    type: 'object',
    additionalProperties: false,
    properties: { $schema: { type: 'string' }, ...Object.fromEntries(properties) },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function propertyOf({ flags, help, details, repeatable, parser }: Option<unknown, unknown>): Schema {
  const description = details === undefined ? help : `${help}. ${details}`;
  const [, placeholder] = /[<[]([^\s>]+)[>\]]$/.exec(flags) ?? [];
  return { description, ...toSchema(placeholder, parser.suggestions, repeatable === true) };
}

function toSchema(placeholder: string | undefined, suggestions: unknown, isRepeatable: boolean): Schema {
  if (placeholder === 'hosts') return HOSTS;
  if (placeholder === undefined) return { type: isRepeatable ? ['boolean', 'integer'] : 'boolean' };
  const words = Array.isArray(suggestions) ? suggestions.filter((word) => !String(word).endsWith('=')) : [];
  if (words.length > 0 && !isRepeatable) return { enum: words };
  const kind = KINDS.get(placeholder);
  if (kind !== undefined) return kind;
  // Headers and reports may be an object, with a value or a list of values for each key.
  return isRepeatable ? { type: ['string', 'array', 'object'] } : { type: 'string' };
}
