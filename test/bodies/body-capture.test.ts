import { describe, expect, it } from 'vitest';
import { aSaver, bodyErrorOf } from './a-saver.ts';

const URL = 'https://example.com/a.txt';
const NAME = 'example.com/a.txt';

describe('BodyCapture', () => {
  it('saves the whole body of a failed response with --save-all', async () => {
    const { begin, files } = await aSaver({ saveAll: true });
    const { capture, write } = begin(URL, { status: 404 });
    write('gone');
    expect(await capture.end(false, true)).toMatchObject({ path: NAME, bytes: 4 });
    const large = begin('https://example.com/large', { status: 404 });
    large.write('x');
    expect(await large.capture.end(false, false)).toBeUndefined();
    expect(await files()).toEqual([NAME]);
  });

  it.each([
    ['a redirect that is followed', { status: 302 }],
    ['a response to HEAD', { hop: { method: 'HEAD' } }],
    ['a status that is not OK', { status: 404 }],
  ])('saves no body of %s', async (_what, head) => {
    const { begin, files } = await aSaver();
    const { capture, sink } = begin(URL, head);
    expect(sink).toBeUndefined();
    expect(await capture.end(true, true)).toBeUndefined();
    expect(await files()).toEqual([]);
  });

  it('throws if the body of an OK response is larger than the limit', async () => {
    const { begin, files } = await aSaver();
    const { capture, write } = begin(URL);
    write('hello');
    expect(await bodyErrorOf(() => capture.end(true, false))).toMatchObject({ kind: 'size' });
    expect(await files()).toEqual([]);
  });

  it('throws if the body is a part that was not requested', async () => {
    const { begin, files } = await aSaver();
    const { capture, write } = begin(URL, { status: 206 });
    write('hello');
    expect(await bodyErrorOf(() => capture.end(true, true))).toMatchObject({ kind: 'protocol' });
    expect(await files()).toEqual([]);
    const requested = begin(URL, { status: 206, hop: { headers: { range: 'bytes=0-4' } } });
    requested.write('hello');
    expect(await requested.capture.end(true, true)).toMatchObject({ path: NAME });
  });

  it('passes a body to its file and to its record', async () => {
    const { save } = await aSaver({ inlineBytes: 100 });
    expect(await save(URL, 'hello')).toMatchObject({ path: NAME, bytes: 5, text: 'hello' });
  });
});
