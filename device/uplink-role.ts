/** The link a node dials: to the next node on the way to the centre. */

import { formatLineAddress, type LineAddress } from '../shared/node/config/line-address.ts';
import { keepLine } from '../shared/node/keep-line.ts';
import type { Node } from '../shared/node/node.ts';
import { baudOf, openLine, waitMsMaxOf } from '../shared/node/open-line.ts';

export interface UplinkRole {
  /** Of the uplink; the first one of kind `link` where it has none. */
  readonly name?: string;
  readonly line: LineAddress;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

/** Keeps the link up until `signal` aborts. */
export function runUplink(node: Node, role: UplinkRole, signal: AbortSignal): Promise<void> {
  const { line, log, name: uplink } = role;
  const use = { role: 'dial' as const, baud: baudOf(line), uplink };
  const name = formatLineAddress(line);
  const kept = {
    name,
    state: (text: string) => void node.lineStates.set(name, text),
    open: () => openLine(line, { report: { counters: node.portCounters, log } }),
    use: (opened: Parameters<Node['attach']>[0]) => node.attach(opened, use),
    log,
    ...waitMsMaxOf(line),
  };
  return keepLine(kept, signal);
}
