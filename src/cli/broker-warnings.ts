/** Takes messages for people, and writes each as a line on standard error. */
export function warner(process: NodeJS.Process, isSilent = false): (text: string) => void {
  return (text) => {
    if (!isSilent) process.stderr.write(`fanout: ${text}\n`);
  };
}
