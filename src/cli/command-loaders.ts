import type { CommandSpec } from './command-spec.ts';
import type { RunCommand } from './program.ts';

/** Each command by its name: what it needs is loaded when it is run. */
export function commandLoaders(
  process: NodeJS.Process,
  version: string,
): Readonly<Record<CommandSpec['name'], RunCommand>> {
  return { ...loadersOfOneMachine(process, version), ...loadersOfMany(process, version) };
}

function loadersOfOneMachine(process: NodeJS.Process, version: string) {
  return {
    fetch: async (inputs, flags) => {
      const { fetchCommand } = await import('./commands/fetch.ts');
      return fetchCommand({ inputs, flags, process, version });
    },
    report: async (names, flags) => {
      const { reportCommand } = await import('./commands/report.ts');
      return reportCommand({ names, flags, process });
    },
    diff: async (names, flags) => {
      const { diffCommand } = await import('./commands/diff.ts');
      return diffCommand({ names, flags, process });
    },
  } satisfies Partial<Record<CommandSpec['name'], RunCommand>>;
}

function loadersOfMany(process: NodeJS.Process, version: string) {
  return {
    feed: async (inputs, flags) => {
      const { feedCommand } = await import('./commands/feed.ts');
      return feedCommand({ inputs, flags, process });
    },
    work: async (_, flags) => {
      const { workCommand } = await import('./commands/work.ts');
      return workCommand({ flags, process, version });
    },
    collect: async (_, flags) => {
      const { collectCommand } = await import('./commands/collect.ts');
      return collectCommand({ flags, process, version });
    },
    status: async (_, flags) => {
      const { statusCommand } = await import('./commands/status.ts');
      return statusCommand({ flags, process });
    },
    dead: async ([action = 'list'], flags) => {
      const { deadCommand } = await import('./commands/dead.ts');
      return deadCommand({ action, flags, process });
    },
    purge: async (_, flags) => {
      const { purgeCommand } = await import('./commands/purge.ts');
      return purgeCommand({ flags, process });
    },
    completion: async ([shell = '']) => {
      const { completionCommand } = await import('./commands/completion.ts');
      return completionCommand({ shell, process });
    },
  } satisfies Partial<Record<CommandSpec['name'], RunCommand>>;
}
