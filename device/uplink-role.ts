/** The link a node dials: to the next node on the way to the centre. */

import { formatLineAddress, type LineAddress } from '../shared/node/config/line-address.ts';
import { keepLine } from '../shared/node/keep-line.ts';
import type { Node } from '../shared/node/node.ts';
import { baudOf, openLine, waitMsMaxOf } from '../shared/node/open-line.ts';

export interface UplinkRole {
  readonly line: LineAddress;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

/** Keeps the link up until `signal` aborts. */
export function runUplink(node: Node, role: UplinkRole, signal: AbortSignal): Promise<void> {
  const { line, log } = role;
  const link = { role: 'dial' as const, baud: baudOf(line) };
  const name = formatLineAddress(line);
  const kept = {
    name,
    state: (text: string) => void node.lineStates.set(name, text),
    open: () => openLine(line, { report: { counters: node.portCounters, log } }),
    use: (opened: Parameters<Node['attach']>[0]) => node.attach(opened, link),
    log,
    ...waitMsMaxOf(line),
  };
  return keepLine(kept, signal);
}
