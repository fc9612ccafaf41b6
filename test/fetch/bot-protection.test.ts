import { describe, expect, it } from 'vitest';
import { blockedBy, mayBeBlocked } from '../../src/fetch/bot-protection.ts';

const NOTHING = { headers: {}, start: '' };

describe('blockedBy()', () => {
  it.each([
    [429, {}, '', 'too many requests'],
    [511, {}, '', 'login required by the network'],
    [999, {}, '', 'request denied'],
    [403, { 'cf-mitigated': 'challenge' }, '', 'Cloudflare challenge'],
    [429, { 'cf-mitigated': 'challenge' }, '', 'Cloudflare challenge'],
    [503, { server: 'cloudflare' }, '<title>Just a moment...</title>', 'Cloudflare block page'],
    [405, { 'x-amzn-waf-action': 'captcha' }, '', 'AWS WAF challenge'],
    [202, { 'x-amzn-waf-action': 'challenge' }, '', 'AWS WAF challenge'],
    [403, { 'x-cache': 'Error from cloudfront' }, 'Request blocked.', 'CloudFront block page'],
    [403, { 'x-vercel-mitigated': 'deny' }, '', 'Vercel challenge'],
    [403, {}, 'Reference&#32;&#35;18&#46;1', 'Akamai block page'],
    [403, {}, '<a href="https://errors.edgesuite.net/18.2d351ab8.1">', 'Akamai block page'],
    [200, {}, '<iframe src="/_Incapsula_Resource?', 'Imperva block page'],
    [403, {}, 'src="https://geo.captcha-delivery.com/"', 'DataDome challenge'],
    [403, {}, '<div id="px-captcha">', 'HUMAN challenge'],
    [403, {}, '<title>Sucuri WebSite Firewall - Access Denied', 'Sucuri block page'],
    [403, { server: 'ddos-guard' }, '<title>DDoS-Guard</title>', 'DDoS-Guard challenge'],
    [200, {}, 'The requested URL was rejected. Please consult with your administrator.', 'F5 block page'],
    [200, {}, '<script id="anubis_challenge"', 'Anubis challenge'],
    [200, {}, '<!-- <WISPAccessGatewayParam', 'login required by the network (captive portal)'],
  ])('%i with %o and "%s" is: %s', (status, headers, start, says) => {
    expect(blockedBy(status, headers, start)).toBe(says);
  });

  it.each([
    ['a page that is there', { status: 200, ...NOTHING }],
    ['a plain 403', { status: 403, ...NOTHING }],
    ['a plain 404', { status: 404, headers: { 'cf-mitigated': 'challenge' }, start: '' }],
    ['a 403 of an origin behind Cloudflare', { status: 403, headers: { server: 'cloudflare' }, start: 'no' }],
    ['a page that talks of a challenge', { status: 200, headers: {}, start: 'Just a moment...' }],
    ['another value of the header', { status: 403, headers: { 'cf-mitigated': 'none' }, start: '' }],
  ])('%s is no refusal of robots', (_, { status, headers, start }) => {
    expect(blockedBy(status, headers, start)).toBeUndefined();
  });
});

describe('mayBeBlocked()', () => {
  it('asks for the beginning of pages that are OK, and of every refusal', () => {
    expect(mayBeBlocked(200, 'text/html; charset=utf-8')).toBe(true);
    expect(mayBeBlocked(200, 'image/png')).toBe(false);
    expect(mayBeBlocked(403, '')).toBe(true);
    expect(mayBeBlocked(404, 'text/html')).toBe(false);
  });
});
