/** The usual file extension of each common media type (https://www.iana.org/assignments/media-types). */
const EXTENSIONS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'application/epub+zip': 'epub',
    'application/gzip': 'gz',
    'application/java-archive': 'jar',
    'application/javascript': 'js',
    'application/json': 'json',
    'application/jsonl': 'jsonl',
    'application/manifest+json': 'webmanifest',
    'application/msword': 'doc',
    'application/pdf': 'pdf',
    'application/postscript': 'ps',
    'application/rtf': 'rtf',
    'application/vnd.ms-excel': 'xls',
    'application/vnd.ms-powerpoint': 'ppt',
    'application/vnd.oasis.opendocument.spreadsheet': 'ods',
    'application/vnd.oasis.opendocument.text': 'odt',
    'application/vnd.openxmlformats-officedocument.presentationml.presentation': 'pptx',
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
    'application/wasm': 'wasm',
    'application/x-7z-compressed': '7z',
    'application/x-bzip2': 'bz2',
    'application/x-gzip': 'gz',
    'application/x-javascript': 'js',
    'application/x-ndjson': 'ndjson',
    'application/x-tar': 'tar',
    'application/x-xz': 'xz',
    'application/xhtml+xml': 'xhtml',
    'application/xml': 'xml',
    'application/yaml': 'yaml',
    'application/zip': 'zip',
    'application/zstd': 'zst',
    'audio/aac': 'aac',
    'audio/flac': 'flac',
    'audio/mp4': 'm4a',
    'audio/mpeg': 'mp3',
    'audio/ogg': 'ogg',
    'audio/wav': 'wav',
    'audio/webm': 'weba',
    'font/otf': 'otf',
    'font/ttf': 'ttf',
    'font/woff': 'woff',
    'font/woff2': 'woff2',
    'image/avif': 'avif',
    'image/bmp': 'bmp',
    'image/gif': 'gif',
    'image/jpeg': 'jpg',
    'image/png': 'png',
    'image/svg+xml': 'svg',
    'image/tiff': 'tiff',
    'image/vnd.microsoft.icon': 'ico',
    'image/webp': 'webp',
    'image/x-icon': 'ico',
    'text/calendar': 'ics',
    'text/css': 'css',
    'text/csv': 'csv',
    'text/html': 'html',
    'text/javascript': 'js',
    'text/markdown': 'md',
    'text/plain': 'txt',
    'text/tab-separated-values': 'tsv',
    'text/vtt': 'vtt',
    'text/xml': 'xml',
    'text/yaml': 'yaml',
    'video/mp4': 'mp4',
    'video/mpeg': 'mpeg',
    'video/ogg': 'ogv',
    'video/quicktime': 'mov',
    'video/webm': 'webm',
  }),
);

/** A structured syntax suffix (RFC 6839), such as that of `application/problem+json`. */
const SUFFIX = /\+(json|xml|yaml|zip)$/;

/**
 * The file extension for a body with this Content-Type, without a dot; `undefined` if the type is missing or unknown, or says
 * nothing, as `application/octet-stream`.
 */
export function extensionForType(contentType: string | readonly string[] | undefined): string | undefined {
  const [type = ''] = String(contentType ?? '').split(/[;,]/, 1);
  const name = type.trim().toLowerCase();
  return EXTENSIONS.get(name) ?? SUFFIX.exec(name)?.[1];
}
