import { ResponseValidator, type ResponseValidatorOptions } from '../../src/fetch/response-validator.ts';

/** A validator that accepts any 2xx, and expects nothing else unless the options say so. */
export function aValidator(options: Partial<ResponseValidatorOptions> = {}): ResponseValidator {
  return new ResponseValidator({
    accept: { has: (status) => status >= 200 && status <= 299 },
    maxRedirects: 10,
    expectation: { contains: [], notContains: [], matches: [], headers: [] },
    redirects: 'ok',
    permanentRedirects: 'ok',
    blocked: 'fail',
    ...options,
  });
}
