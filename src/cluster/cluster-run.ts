import { UsageError } from '../model/errors.ts';
import { printable } from '../model/printable.ts';
import { type Broker, type BrokerAddress, closeConnection, connectBroker } from './broker-connection.ts';
import { JetStreamEngine, SETTINGS_KEY } from './jetstream-engine.ts';
import { codeOf, runNames, setUpState } from './jetstream-setup.ts';
import { JetStreamState } from './jetstream-state.ts';
import { persist } from './persist.ts';
import { differences, type RunSettings, settingsFrom } from './run-settings.ts';

/** So long is tried, once there was a connection. */
const OPEN_MS = 30_000;

/** The codes of the JetStream API begin here. */
const API_ERRORS = 10_000;

export interface OpenRun {
  readonly address: BrokerAddress;
  readonly run: string;
  /** Told when the broker is lost and found, in whole sentences. */
  readonly warn: (text: string) => void;
}

/** What the one who creates a run says of it. */
export interface NewRun {
  readonly settings: RunSettings;
  /** Those that were asked for and are no defaults: an existing run must have them. */
  readonly wanted: Partial<RunSettings>;
}

/** Opens a run that exists on the broker, or creates it if `created` says what it is to be. Throws a `UsageError`. */
export async function openRun({ address, run, warn }: OpenRun, created?: NewRun): Promise<JetStreamEngine> {
  const broker = await connectBroker(address, warn);
  try {
    // The broker may go away in the midst of it; what it says itself is final.
    return await persist(() => openOn(broker, run, created), {
      signal: AbortSignal.timeout(OPEN_MS),
      isPassing: (error) => !(error instanceof UsageError) && codeOf(error) < API_ERRORS,
    });
  } catch (error) {
    await closeConnection(broker.connection);
    throw described(error);
  }
}

async function openOn(broker: Broker, run: string, created: NewRun | undefined): Promise<JetStreamEngine> {
  const { nats, connection } = broker;
  const manager = await nats.jetstream.jetstreamManager(connection, { checkAPI: false });
  const names = runNames(run);
  const state = new JetStreamState({ client: nats.jetstream.jetstream(connection), manager, names });
  if (created !== undefined) {
    await setUpState(manager, nats, names, created.settings.replicas);
    await state.setFirst(SETTINGS_KEY, created.settings);
  }
  const settings = checked(await state.get(SETTINGS_KEY), run, created?.wanted ?? {});
  const engine = new JetStreamEngine(broker, manager, run, settings);
  await engine.ensure();
  return engine;
}

function checked(found: unknown, run: string, wanted: Partial<RunSettings>): RunSettings {
  if (found === undefined) {
    throw new UsageError(
      `Cannot find the run "${run}" on this broker: start it with "fanout feed INPUT --broker URL --run ${run}"`,
    );
  }
  const settings = settingsFrom(found);
  if (settings === undefined) {
    throw new UsageError(
      `Cannot use the run "${run}" of this broker: its settings are damaged or of another version`,
    );
  }
  const [first] = differences(settings, wanted);
  if (first === undefined) return settings;
  throw new UsageError(
    `Cannot change ${first} of the run "${run}" from ${settings[first]} to ${wanted[first]}: it holds from the start of a run`,
  );
}

function described(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof UsageError) return error;
  return new UsageError(`Cannot open the run on the broker: ${printable(error.message, 200)}`, {
    cause: error,
  });
}
