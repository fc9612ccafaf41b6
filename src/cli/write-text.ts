/** Writes a text whose reader may have seen enough before its end, as in `fanout --help | head`. */
export function writeText(stream: NodeJS.WriteStream, text: string): void {
  stream.on('error', () => {});
  stream.write(text);
}
