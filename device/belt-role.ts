/**
 * A belt's adapter at work: its line, the adapter that decides, the node that stores. The position comes from the ring at every
 * opening of the line and after every failure, so a telegram that survived is answered and never stored twice.
 */
import { crc32 } from '../shared/crc32.ts';
import { RingmailError } from '../shared/errors.ts';
import type { AdapterCounters, Counts } from '../shared/node/adapter-counters.ts';
import { keepLine } from '../shared/node/keep-line.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';
import type { Line } from '../shared/ports.ts';
import { BeltAdapter, type BeltCounters, type BeltOutput } from './adapters/belt.ts';
import { priorityOf } from './adapters/rp1745.ts';

export interface BeltRole {
  readonly name: string;
  /** Name of the node, for the history of what it gives up. */
  readonly node: string;
  /** Address that telegrams are sent to. */
  readonly destination: string;
  readonly open: () => Promise<Line>;
  /** Told of each change of its line. */
  readonly state?: (text: string) => void;
  /** Longest wait before it is opened again, in ms. */
  readonly waitMsMax?: number;
  /** Where it counts, over all its lines, under its name. */
  readonly counters: AdapterCounters;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

/** Serves the belt until `signal` aborts. */
export function runBelt(node: NodeCalls, role: BeltRole, signal: AbortSignal): Promise<void> {
  let adapter: BeltAdapter | undefined;
  // The position first: once the line is open, its bytes do not wait for us.
  const open = async (): Promise<Line> => {
    const next = await adapterFor(node, role);
    adapter = next;
    role.counters.watch(role.name, () => countsOf(next.counters));
    return role.open();
  };
  const use = async (line: Line): Promise<string> => {
    const serving = adapter;
    if (serving === undefined) return 'not open';
    return new Promise<string>((resolve) => serve({ node, role, adapter: serving, line, resolve }));
  };
  const { name, log, state, waitMsMax } = role;
  const more = { ...(state && { state }), ...(waitMsMax !== undefined && { waitMsMax }) };
  return keepLine({ name, open, use, log, ...more }, signal);
}

async function adapterFor(node: NodeCalls, role: BeltRole): Promise<BeltAdapter> {
  const result = await node.call({ verb: 'position', name: role.name });
  const position = result.kind === 'position' ? result.value : undefined;
  return new BeltAdapter({ crc32: (bytes) => crc32(bytes, 0), position });
}

/** Every number by one name. */
function countsOf({ discarded, ...counters }: BeltCounters): Counts {
  return {
    ...counters,
    discardedChecksum: discarded.checksum,
    discardedFraming: discarded.framing,
    discardedTooLong: discarded['too-long'],
    discardedSequence: discarded.sequence,
  };
}

interface Serving {
  readonly node: NodeCalls;
  readonly role: BeltRole;
  readonly adapter: BeltAdapter;
  readonly line: Line;
  readonly resolve: (reason: string) => void;
}

function serve(serving: Serving): void {
  const { adapter, line, resolve } = serving;
  line.listen({
    onBytes: (bytes) => perform(serving, adapter.bytes(bytes)),
    onClosed: (reason) => {
      perform(serving, adapter.lineClosed());
      resolve(reason);
    },
  });
}

function perform(serving: Serving, outputs: readonly BeltOutput[]): void {
  for (const output of outputs) {
    if (output.kind === 'reply') serving.line.write(output.bytes);
    else void store(serving, output);
  }
}

async function store(serving: Serving, request: BeltOutput & { kind: 'store' }): Promise<void> {
  const { node, role, adapter, line } = serving;
  const { reading, telegram, token } = request;
  const priority = reading.ok ? { priority: priorityOf(reading) } : {};
  const dead = reading.ok ? {} : { dead: { class: 'BAD_TELEGRAM' as const, node: role.node, reason: reading.reason } };
  try {
    await node.call({
      verb: 'send',
      destination: role.destination,
      body: telegram,
      properties: { contentType: 'text/plain', label: role.name, ...priority },
      position: { name: role.name, value: request.position },
      ...dead,
    });
    perform(serving, adapter.stored(token));
  } catch (error) {
    if (!(error instanceof RingmailError)) throw error;
    perform(serving, adapter.notStored(token));
    role.log('warn', `${role.name}: not stored: ${error.message}`);
    // Nobody knows whether it survived: only the ring does, so start again from the position it has.
    if (error.code === 'IN_DOUBT' || error.code === 'NODE_STOPPED') line.close();
  }
}
