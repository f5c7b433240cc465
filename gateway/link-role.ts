/** Where other nodes reach this one: sockets that are listened on, serial ports that are kept open. */

import { formatLineAddress, type LineAddress } from '../shared/node/config/line-address.ts';
import { keepLine } from '../shared/node/keep-line.ts';
import type { Node } from '../shared/node/node.ts';
import { baudOf, openLine, waitMsMaxOf } from '../shared/node/open-line.ts';
import { listenLines } from '../shared/node/socket-line.ts';

export interface LinkRole {
  readonly listen: LineAddress;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

/**
 * Accepts neighbours on one address until `signal` aborts. One that misbehaves ends its own line and no other. An address that is
 * taken, or not there yet, is tried again until it is free.
 */
export function runLink(node: Node, role: LinkRole, signal: AbortSignal): Promise<void> {
  const { listen, log } = role;
  const name = formatLineAddress(listen);
  const state = (text: string): void => void node.lineStates.set(name, text);
  const link = { role: 'accept' as const, baud: baudOf(listen) };
  if (listen.kind === 'serial' || listen.kind === 'serial-match') {
    const open = () => openLine(listen, { report: { counters: node.portCounters, log } });
    return keepLine({ name, open, use: (line) => node.attach(line, link), log, state, ...waitMsMaxOf(listen) }, signal);
  }
  const use = (): Promise<string> => {
    log('info', `listening on ${name}`);
    return whenAborted(signal);
  };
  return keepLine({ name, open: () => listenLines(listen, (line) => void node.attach(line, link)), use, log, state }, signal);
}

function whenAborted(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('closed');
    else signal.addEventListener('abort', () => resolve('closed'), { once: true });
  });
}
