import type { ResponseHeaders } from './exchange.ts';

/** What is known of an answer when it is judged. */
export interface BlockEvidence {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** First bytes of the body as latin1; empty when they were not kept. */
  readonly start: string;
}

/** One way in which a server says that it will not answer a robot: all that is given must be so. */
interface Rule {
  /** Completes "blocked: ". */
  readonly says: string;
  readonly statuses: readonly number[];
  readonly header?: readonly [name: string, value: RegExp];
  readonly body?: RegExp;
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
    says: 'the network wants a login first',
    statuses: [511],
    source: 'RFC 6585, section 6',
  },
  {
    says: 'request denied (999)',
    statuses: [999],
    source: 'lychee, linkinator and muffet treat the 999 of linkedin.com so',
  },
  {
    says: 'Cloudflare asks for a challenge',
    statuses: [200, 202, 401, 403, 429, 503],
    header: ['cf-mitigated', /^challenge$/i],
    source:
      'https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/',
  },
  {
    says: 'Cloudflare has refused it',
    statuses: [403, 503],
    header: ['server', /^cloudflare/i],
    body: /cf-error-details|Attention Required!|Just a moment\.\.\.|challenge-platform/,
    source: 'the error pages of Cloudflare (1xxx), and FlareSolverr, which waits for them to pass',
  },
  {
    says: 'AWS WAF asks for a challenge',
    statuses: [202, 403, 405],
    header: ['x-amzn-waf-action', /^(?:challenge|captcha)/i],
    source: 'https://docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge-actions.html',
  },
  {
    says: 'CloudFront has refused it',
    statuses: [403],
    header: ['x-cache', /^Error from cloudfront/i],
    body: /Request blocked/,
    source: 'the 403 page of CloudFront: "Request blocked. We can\'t connect to the server for this app"',
  },
  {
    says: 'Vercel asks for a challenge',
    statuses: [403, 429],
    header: ['x-vercel-mitigated', /^(?:challenge|deny)/i],
    source: 'https://vercel.com/docs/headers/response-headers (x-vercel-mitigated)',
  },
  {
    says: 'Akamai has refused it',
    statuses: [403, 503],
    body: /errors\.edgesuite\.net|Reference&#32;&#35;\d|Reference #\d+\.[0-9a-f]+\./,
    source: 'the "Access Denied" page of Akamai, which ends in a reference number',
  },
  {
    says: 'Imperva has refused it',
    statuses: [200, 403, 503],
    body: /_Incapsula_Resource|Incapsula incident ID/,
    source: 'the block page of Imperva, which names an incident, and its challenge script',
  },
  {
    says: 'DataDome asks for a challenge',
    statuses: [401, 403, 405, 429],
    body: /captcha-delivery\.com/,
    source: 'the response page of DataDome, which loads its captcha from there',
  },
  {
    says: 'HUMAN asks for a challenge',
    statuses: [403, 429],
    body: /px-captcha|_pxAppId/,
    source: 'the block page of HUMAN (PerimeterX), which holds its captcha in "px-captcha"',
  },
  {
    says: 'Sucuri has refused it',
    statuses: [403],
    body: /Sucuri Web[Ss]ite Firewall/,
    source: 'the "Access Denied" page of the Sucuri firewall',
  },
  {
    says: 'DDoS-Guard asks for a challenge',
    statuses: [403, 503],
    header: ['server', /^ddos-guard/i],
    body: /ddos-guard/i,
    source: 'the check page of DDoS-Guard',
  },
  {
    says: 'F5 has refused it',
    statuses: [200, 403],
    body: /The requested URL was rejected\. Please consult with your administrator\./,
    source: 'the default blocking page of F5 BIG-IP, which comes with status 200',
  },
  {
    says: 'Anubis asks for a challenge',
    statuses: [200, 401, 403],
    body: /id="anubis_(?:challenge|version)"/,
    source: 'the challenge page of Anubis (github.com/TecharoHQ/anubis)',
  },
  {
    says: 'the network wants a login first (captive portal)',
    statuses: [200, 302, 403],
    body: /<WISPAccessGatewayParam/,
    source: 'WISPr 1.0, appendix D',
  },
];

const STATUSES: ReadonlySet<number> = new Set(RULES.flatMap(({ statuses }) => statuses));

/** So much of the beginning of a body is looked at. */
export const START_BYTES = 4 * 1024;

/** Whether the beginning of the body may tell that an answer with this status is a refusal: pages alone do, when it is OK. */
export function mayBeBlocked(status: number, contentType: string): boolean {
  return STATUSES.has(status) && (status >= 300 || contentType.startsWith('text/html'));
}

/** What an answer says when it tells robots to go away, or `undefined` when it does not. */
export function blockedBy({ status, headers, start }: BlockEvidence): string | undefined {
  if (!STATUSES.has(status)) return undefined;
  const rule = RULES.findLast(({ statuses, header, body }) => {
    if (!statuses.includes(status)) return false;
    return (
      (header === undefined || header[1].test(firstOf(headers[header[0]]))) && (body?.test(start) ?? true)
    );
  });
  return rule?.says;
}

function firstOf(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' ? header : (header?.[0] ?? '');
}
