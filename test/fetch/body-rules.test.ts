import { describe, expect, it } from 'vitest';
import { resolveRunOptions } from '../../src/config/library-options.ts';
import { createBodyRules, documentOptions } from '../../src/fetch/body-rules.ts';
import type { AttemptRequest } from '../../src/http/attempt.ts';

const HTML = { 'content-type': 'text/html' };

function aRequest(more: Partial<AttemptRequest> = {}, index = 0): AttemptRequest {
  const url = 'http://a.test/x';
  return {
    hop: { url, method: 'GET', headers: {} },
    elapsedMs: 0,
    job: { index, source: 'list', line: 1, url },
    ...more,
  };
}

function rulesFor(options: object) {
  return createBodyRules(resolveRunOptions(options, '1.2.3'), () => {});
}

describe('createBodyRules()', () => {
  it('after a refused HEAD, needs only a body that may tell of a wall against robots', () => {
    const rules = rulesFor({});
    const request = aRequest({ isHeadRefused: true });
    const needs = (status: number, headers = {}) => rules.needsBody(request, status, headers, false);
    expect([needs(200), needs(403, HTML), needs(200, HTML)]).toEqual([false, false, true]);
    expect(rules.needsBody(request, 200, {}, true)).toBe(true);
    expect(rules.needsBody(aRequest(), 200, {}, false)).toBe(true);
  });

  it('searches the bodies of the list for text, and keeps those of documents', () => {
    const rules = rulesFor({ contains: ['x'] });
    const document = aRequest({}, -1);
    expect(rules.inspectorFor(aRequest(), 200, {})?.isSearching).toBe(true);
    expect(rules.inspectorFor(document, 200, {})).toBeUndefined();
    expect(rules.captureFor(aRequest())).toBeUndefined();
    expect(rules.captureFor(document)).toBeDefined();
  });
});

describe('documentOptions()', () => {
  it('wants a document whole, with status 200, and saves nothing', () => {
    const options = documentOptions(resolveRunOptions({ accept: '404', expectTime: '1s' }, '1.2.3'));
    expect([200, 404].map((status) => options.accept.has(status))).toEqual([true, false]);
    expect(options).toMatchObject({ expectTime: undefined, saveDir: undefined, keepsBuffers: true });
  });
});
