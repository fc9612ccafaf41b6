import { option } from './option.ts';
import { maskProxy, proxy } from './parsers/proxy.ts';

/** Which way requests take: part of `runOptions`. */
export const proxyOptions = {
  proxy: option({
    flags: '--proxy <url>',
    group: 'Network',
    parser: proxy,
    default: undefined,
    defaultText: 'HTTP_PROXY, HTTPS_PROXY or ALL_PROXY',
    help: "go through this proxy, http://[user:password@]host:port or https://, except to the hosts in NO_PROXY; '' uses none",
    mask: maskProxy,
  }),
};
