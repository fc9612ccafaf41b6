/** Returns the pieces of an output that contain a mark: literally, percent-encoded, or in base64 at any offset. */
export function revealed(output: string, mark: string): readonly string[] {
  const wanted = mark.toLowerCase();
  const shows = (text: string) => text.toLowerCase().includes(wanted);
  const lines = output.split('\n').filter((line) => shows(line) || shows(percentDecoded(line)));
  const runs = (output.match(/[\w+/-]{12,}/g) ?? []).filter((run) =>
    [0, 1, 2, 3].some((offset) => shows(Buffer.from(run.slice(offset), 'base64').toString('latin1'))),
  );
  return [...lines, ...runs];
}

function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
