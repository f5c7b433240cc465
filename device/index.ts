/** The device role: adapters for controllers that cannot be reprogrammed, and the link towards the centre. */

export { BeltAdapter, type BeltCounters, type BeltOutput } from './adapters/belt.ts';
export { priorityOf, type Rp1745Reading, readRp1745 } from './adapters/rp1745.ts';
export { AckAssembler, encodeAck, encodeTelegram, TelegramAssembler } from './adapters/stx-etx.ts';
export { type BeltRole, runBelt } from './belt-role.ts';
export { runUplink, type UplinkRole } from './uplink-role.ts';
