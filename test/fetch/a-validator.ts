import { ResponseValidator, type ResponseValidatorOptions } from '../../src/fetch/response-validator.ts';

/** A judge that takes any 2xx, and expects nothing else unless told so. */
export function aJudge(options: Partial<ResponseValidatorOptions> = {}): ResponseValidator {
  return new ResponseValidator({
    accept: { has: (status) => status >= 200 && status <= 299 },
    maxRedirects: 10,
    expectation: { contains: [], notContains: [], matches: [], headers: [] },
    blocked: 'fail',
    ...options,
  });
}
