/** The reports that a run can be made into. */
export const REPORT_KINDS = ['junit', 'json', 'markdown', 'html', 'csv'] as const;

export type ReportKind = (typeof REPORT_KINDS)[number];
