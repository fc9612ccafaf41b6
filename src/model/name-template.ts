/** What a template for file names can hold in braces. */
export const NAME_FIELDS = ['host', 'path', 'index', 'id', 'hash', 'ext', 'status', 'query'] as const;

export type NameField = (typeof NAME_FIELDS)[number];

/** Text as it is, or a field that each answer fills. */
export type NamePart = { readonly text: string } | { readonly field: NameField };

/** A template for the names of files, with `/` between directories; each field is there once at most. */
export type NameTemplate = readonly NamePart[];
