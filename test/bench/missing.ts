import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Whether a program is found in PATH. */
export function isInstalled(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** What to do about a program that is not there. */
export function missingNote(name: string, debianPackage: string): string {
  return `${name} is missing, so nothing was compared with it: apt-get install ${debianPackage}`;
}
