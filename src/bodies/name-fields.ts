import { MAX_NAME_BYTES, safePart } from '../model/file-name.ts';
import type { Job } from '../model/job.ts';
import type { NameField, NameTemplate } from '../model/name-template.ts';
import { pathOf } from '../model/url.ts';
import { extensionOf } from './file-and-directory.ts';
import { hostPart } from './host-part.ts';
import { hashOf } from './identity.ts';
import { decodedText, type NameText, nameText } from './name-text.ts';

// More than ever fit into a name.
const MAX_PARTS = MAX_NAME_BYTES / 2 + 1;

/** What the fields of a template are filled from. */
export class NameFields {
  readonly #job: Job;
  readonly #status: number;
  readonly #identity: string;
  /** Of the URL, with a `/` at its start. */
  readonly #path: string;
  readonly #query: string;

  constructor(job: Job, status: number, identity: string) {
    this.#job = job;
    this.#status = status;
    this.#identity = identity;
    const target = pathOf(job.url);
    const mark = target.indexOf('?');
    this.#path = mark === -1 ? target : target.slice(0, mark);
    this.#query = mark === -1 ? '' : target.slice(mark + 1);
  }

  /** The directories of the path, as many as a name can have. */
  directories(): NameText[] {
    const end = this.#path.lastIndexOf('/');
    return end === 0 ? [] : this.#path.slice(1, end).split('/', MAX_PARTS).map(decodedText);
  }

  /** The file that the path names; that of a directory is its index. */
  #file(): NameText {
    const last = this.#path.slice(this.#path.lastIndexOf('/') + 1);
    if (last === '') return { text: 'index.html', isExact: true };
    const { text, isExact } = decodedText(last);
    return { text, isExact: isExact && text !== 'index.html' };
  }

  /** One part of a name, from a part of a template; of a path its last part. */
  fill(part: NameTemplate): NameText {
    let text = '';
    let isExact = true;
    for (const piece of part) {
      const value = 'text' in piece ? { text: piece.text, isExact: true } : this.#valueOf(piece.field);
      text += value.text;
      isExact &&= value.isExact;
    }
    const safe = safePart(text);
    return { text: safe, isExact: isExact && safe === text };
  }

  #valueOf(field: NameField): NameText {
    switch (field) {
      case 'host':
        return hostPart(this.#job.url);
      case 'path':
        return this.#file();
      case 'index':
        return { text: String(this.#job.index), isExact: true };
      case 'id':
        return optionalText(this.#job.id, (id) => nameText(id, safePart(id)));
      case 'hash':
        return { text: hashOf(this.#identity), isExact: true };
      case 'ext':
        return { text: extensionOf(this.#file().text), isExact: true };
      case 'status':
        return { text: String(this.#status), isExact: true };
      case 'query':
        return optionalText(this.#query, decodedText);
    }
  }
}

function optionalText(text: string | undefined, read: (text: string) => NameText): NameText {
  return text === undefined || text === '' ? { text: '', isExact: true } : read(text);
}
