import { option, type Resolved } from './option.ts';
import { reports } from './parsers/reports.ts';

/** Reports beside the results: part of `programOptions`. */
export const reportOptions = {
  report: option({
    flags: '--report <kind=file>',
    group: 'Reports',
    parser: reports,
    default: undefined,
    repeatable: true,
    help: 'write a report to a file: junit, json, markdown, html or csv, as in --report junit=report.xml (repeatable)',
  }),
};

export type ReportOptions = Resolved<typeof reportOptions>;
