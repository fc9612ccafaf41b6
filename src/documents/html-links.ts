import { Parser } from 'htmlparser2';
import type { Extraction, FoundLink } from './document.ts';
import { toExtraction } from './document.ts';

/** The attributes that are links, by element. */
const LINK_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  area: ['href'],
  audio: ['src'],
  blockquote: ['cite'],
  body: ['background'],
  del: ['cite'],
  embed: ['src'],
  frame: ['src'],
  iframe: ['src'],
  image: ['href', 'xlink:href'],
  img: ['src', 'longdesc'],
  input: ['src'],
  ins: ['cite'],
  link: ['href'],
  object: ['data'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  track: ['src'],
  use: ['href', 'xlink:href'],
  video: ['src', 'poster'],
};

/** The attributes of other elements, such as components of Vue and React, that are links if they are whole URLs. */
const COMPONENT_ATTRIBUTES: readonly string[] = ['href', 'src', 'to'];

const WEB_URL = /^https?:\/\//i;

const SRCSET_ATTRIBUTES: Readonly<Record<string, string>> = {
  img: 'srcset',
  link: 'imagesrcset',
  source: 'srcset',
};

/** Relations of a `<link>` that name an origin, and no page. */
const ORIGIN_RELATIONS = /\b(?:preconnect|dns-prefetch)\b/i;

/** A candidate of a `srcset`: its URL, and a width or density. */
const CANDIDATE = /[\s,]*([^\s,]\S*?)(?:,+(?=\s|$)|\s+[^,]*(?:,|$)|$)/g;

/** In feeds and sitemaps: the elements whose text is a link, and the attributes that are links, whatever the element. */
const LINK_ELEMENTS: ReadonlySet<string> = new Set([
  'loc',
  'link',
  'guid',
  'comments',
  'docs',
  'url',
  'uri',
  'logo',
  'icon',
]);
const XML_ATTRIBUTES: ReadonlySet<string> = new Set(['href', 'src', 'url']);

const MAX_TEXT_LENGTH = 200;

interface Attribute {
  readonly value: string;
  /** Of the first character of the value, in the document. */
  readonly offset: number;
}

/** Extracts the links of HTML, from the attributes that a browser follows. */
export function extractHtml(text: string): Extraction {
  const { found, base } = findHtmlLinks(text);
  return { ...toExtraction(text, found), base };
}

/** Finds the links of HTML, or of a part of it such as one tag, and the `href` of its first `<base>`. */
export function findHtmlLinks(text: string): {
  readonly found: readonly FoundLink[];
  readonly base?: string | undefined;
} {
  const found: { href: string; offset: number; text?: string }[] = [];
  /** The `<a>` that is open. */
  let open: (typeof found)[number] | undefined;
  let base: string | undefined;
  const attributes = new Map<string, Attribute>();
  const parser = new Parser({
    onattribute: (name, value) => {
      if (!attributes.has(name))
        attributes.set(name, { value, offset: valueStart(text, parser.startIndex, name) });
    },
    onopentag: (name) => {
      const start = found.length;
      if (name === 'base') base ??= attributes.get('href')?.value.trim();
      else found.push(...linksOfTag(name, attributes));
      const image = name === 'img' ? attributes.get('alt')?.value : undefined;
      const first = found[start];
      if (name === 'a') open = first;
      else if (first !== undefined && image) first.text = image.slice(0, MAX_TEXT_LENGTH);
      attributes.clear();
    },
    ontext: (data) => {
      if (open !== undefined && (open.text?.length ?? 0) < MAX_TEXT_LENGTH)
        open.text = `${open.text ?? ''}${data}`;
    },
    onclosetag: (name) => {
      if (name === 'a') open = undefined;
    },
  });
  parser.end(text);
  return { found: found.map(withCleanText), base };
}

function withCleanText({ text, ...link }: FoundLink): FoundLink {
  const clean = text?.replace(/\s+/g, ' ').trim().slice(0, MAX_TEXT_LENGTH) ?? '';
  return clean === '' ? link : { ...link, text: clean };
}

/** The offset of the value of an attribute whose name starts at `start`. */
function valueStart(text: string, start: number, name: string): number {
  const [assignment = ''] =
    /^\s*=\s*["']?\s*/.exec(text.slice(start + name.length, start + name.length + 100)) ?? [];
  return start + name.length + assignment.length;
}

function linksOfTag(name: string, attributes: ReadonlyMap<string, Attribute>): FoundLink[] {
  if (name === 'meta') return refreshLinks(attributes);
  if (name === 'link' && ORIGIN_RELATIONS.test(attributes.get('rel')?.value ?? '')) return [];
  const known = LINK_ATTRIBUTES[name];
  const links = (known ?? COMPONENT_ATTRIBUTES).flatMap((key) => {
    const attribute = attributes.get(key);
    if (attribute === undefined) return [];
    const link = { href: toHref(attribute.value), offset: attribute.offset };
    return known !== undefined || WEB_URL.test(link.href) ? [link] : [];
  });
  const srcset = attributes.get(SRCSET_ATTRIBUTES[name] ?? '');
  return srcset === undefined ? links : [...links, ...srcsetLinks(srcset)];
}

/** White space around a URL, and line breaks and tabs in it, are no part of it. */
function toHref(value: string): string {
  return value.trim().replace(/[\t\n\r]/g, '');
}

function srcsetLinks({ value, offset }: Attribute): FoundLink[] {
  return [...value.trimStart().matchAll(CANDIDATE)].flatMap(({ 0: whole, 1: href = '', index }) =>
    href === '' ? [] : [{ href: href.replace(/,+$/, ''), offset: offset + index + whole.indexOf(href) }],
  );
}

/** `<meta http-equiv="refresh" content="5; url=/next">`. */
function refreshLinks(attributes: ReadonlyMap<string, Attribute>): FoundLink[] {
  const content = attributes.get('content');
  if (attributes.get('http-equiv')?.value.trim().toLowerCase() !== 'refresh' || content === undefined)
    return [];
  const target = /^([\s\d.]*[;,]\s*(?:url\s*=\s*)?["']?)([^"']+)/i.exec(content.value.trimStart());
  if (target === null) return [];
  const [, before = '', href = ''] = target;
  return [{ href: toHref(href), offset: content.offset + before.length }];
}

/** Extracts the links of XML: of sitemaps, of RSS and Atom feeds, and of SVG. */
export function extractXml(text: string): Extraction {
  const found: FoundLink[] = [];
  const attributes = new Map<string, Attribute>();
  let element: { readonly isLink: boolean; text: string; offset: number } | undefined;
  const parser = new Parser(
    {
      onattribute: (name, value) => {
        attributes.set(localName(name), { value, offset: valueStart(text, parser.startIndex, name) });
      },
      onopentag: (name) => {
        const local = localName(name);
        for (const [key, { value, offset }] of attributes) {
          if (XML_ATTRIBUTES.has(key)) found.push({ href: toHref(value), offset });
        }
        // A <guid> is a link unless it says that it is none.
        const isLink = LINK_ELEMENTS.has(local) && attributes.get('ispermalink')?.value !== 'false';
        element = { isLink, text: '', offset: -1 };
        attributes.clear();
      },
      ontext: (data) => {
        if (element?.isLink !== true) return;
        if (element.offset === -1 && data.trim() !== '')
          element.offset = textStart(text, parser.startIndex, data);
        element.text += data;
      },
      onclosetag: () => {
        if (element !== undefined && /^\s*https?:/i.test(element.text)) {
          found.push({ href: toHref(element.text), offset: element.offset });
        }
        element = undefined;
      },
    },
    { xmlMode: true, lowerCaseTags: true, lowerCaseAttributeNames: true, recognizeCDATA: true },
  );
  parser.end(text);
  return toExtraction(text, found);
}

/** Where text begins, behind white space and the start of a CDATA section. */
function textStart(text: string, start: number, data: string): number {
  const at = text.indexOf(data.trimStart().slice(0, 8), start);
  return at === -1 ? start : at;
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1).toLowerCase();
}
