import type { ResponseHeaders } from '../model/result.ts';

/** One bot-protection signature; all of its conditions must match. */
interface Rule {
  /** Follows "blocked: ". */
  readonly says: string;
  readonly statuses: readonly number[];
  readonly header?: readonly [name: string, value: RegExp];
  /** At least one of these is in the first bytes of the body. */
  readonly marks?: readonly string[];
  /** Where this is documented or described. */
  readonly source: string;
}

const RULES: readonly Rule[] = [
  {
    says: 'too many requests',
    statuses: [429],
    source: 'RFC 6585, section 4',
  },
  {
    says: 'login required by the network',
    statuses: [511],
    source: 'RFC 6585, section 6',
  },
  {
    says: 'request denied',
    statuses: [999],
    source: 'lychee, linkinator and muffet treat the 999 of linkedin.com so',
  },
  {
    says: 'Cloudflare block page',
    statuses: [403, 503],
    header: ['server', /^cloudflare/i],
    marks: ['cf-error-details', 'Attention Required!', 'Just a moment...', 'challenge-platform'],
    source: 'the error pages of Cloudflare (1xxx), and FlareSolverr, which waits for them to pass',
  },
  {
    says: 'Cloudflare challenge',
    statuses: [200, 202, 401, 403, 429, 503],
    header: ['cf-mitigated', /^challenge$/i],
    source:
      'https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/',
  },
  {
    says: 'AWS WAF challenge',
    statuses: [202, 403, 405],
    header: ['x-amzn-waf-action', /^(?:challenge|captcha)/i],
    source: 'https://docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge-actions.html',
  },
  {
    says: 'CloudFront block page',
    statuses: [403],
    header: ['x-cache', /^Error from cloudfront/i],
    marks: ['Request blocked'],
    source: 'the 403 page of CloudFront: "Request blocked. We can\'t connect to the server for this app"',
  },
  {
    says: 'Vercel challenge',
    statuses: [403, 429],
    header: ['x-vercel-mitigated', /^(?:challenge|deny)/i],
    source: 'https://vercel.com/docs/headers/response-headers (x-vercel-mitigated)',
  },
  {
    says: 'Akamai block page',
    statuses: [403, 503],
    marks: ['errors.edgesuite.net', 'Reference&#32;&#35;'],
    source: 'the "Access Denied" page of Akamai, which ends in a reference number',
  },
  {
    says: 'Imperva block page',
    statuses: [200, 403, 503],
    marks: ['_Incapsula_Resource', 'Incapsula incident ID'],
    source: 'the block page of Imperva, which names an incident, and its challenge script',
  },
  {
    says: 'DataDome challenge',
    statuses: [401, 403, 405, 429],
    marks: ['captcha-delivery.com'],
    source: 'the response page of DataDome, which loads its captcha from there',
  },
  {
    says: 'HUMAN challenge',
    statuses: [403, 429],
    marks: ['px-captcha', '_pxAppId'],
    source: 'the block page of HUMAN (PerimeterX), which holds its captcha in "px-captcha"',
  },
  {
    says: 'Sucuri block page',
    statuses: [403],
    marks: ['Sucuri WebSite Firewall', 'Sucuri Website Firewall'],
    source: 'the "Access Denied" page of the Sucuri firewall',
  },
  {
    says: 'DDoS-Guard challenge',
    statuses: [403, 503],
    header: ['server', /^ddos-guard/i],
    marks: ['ddos-guard', 'DDoS-Guard'],
    source: 'the check page of DDoS-Guard',
  },
  {
    says: 'F5 block page',
    statuses: [200, 403],
    marks: ['The requested URL was rejected. Please consult with your administrator.'],
    source: 'the default blocking page of F5 BIG-IP, which comes with status 200',
  },
  {
    says: 'Anubis challenge',
    statuses: [200, 401, 403],
    marks: ['id="anubis_challenge"', 'id="anubis_version"'],
    source: 'the challenge page of Anubis (github.com/TecharoHQ/anubis)',
  },
  {
    says: 'login required by the network (captive portal)',
    statuses: [200, 302, 403],
    marks: ['<WISPAccessGatewayParam'],
    source: 'WISPr 1.0, appendix D',
  },
];

const RULES_BY_STATUS: ReadonlyMap<number, readonly Rule[]> = new Map(
  RULES.flatMap(({ statuses }) => statuses).map((status) => [
    status,
    // Later rules are more specific.
    RULES.filter(({ statuses }) => statuses.includes(status)).reverse(),
  ]),
);

/** The headers that can show that a response blocks robots. */
export const TELLING_HEADERS: readonly string[] = [
  ...new Set(RULES.flatMap(({ header }) => (header === undefined ? [] : [header[0]]))),
];

/** Whether the first bytes of the body can show that a response blocks robots. A response that is OK can only if it is HTML. */
export function mayBeBlocked(status: number, contentType: string): boolean {
  return RULES_BY_STATUS.has(status) && (status >= 300 || contentType.startsWith('text/html'));
}

/**
 * How a response blocks robots, in words; `undefined` if it does not.
 *
 * @param start the first bytes of the body as latin1; empty if they were not kept
 */
export function blockedBy(status: number, headers: ResponseHeaders, start: string): string | undefined {
  const rules = RULES_BY_STATUS.get(status);
  if (rules === undefined) return undefined;
  for (const { header, marks, says } of rules) {
    if (marks !== undefined && !(start !== '' && marks.some((mark) => start.includes(mark)))) continue;
    if (header === undefined || header[1].test(firstOf(headers[header[0]]))) return says;
  }
  return undefined;
}

function firstOf(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' ? header : (header?.[0] ?? '');
}
