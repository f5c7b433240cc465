/** The simulator, for whoever tests without hardware: chance and time that can be told again, disks, lines and brokers that fail, belts. */
export { Cable, type CableEnd, type CableOptions } from './cable.ts';
export { type Accepted, BeltController, type BeltControllerOptions, type BeltStep } from './hall/belt-controller.ts';
export { BeltDrive } from './hall/belt-drive.ts';
export { type TelegramOptions, telegramSource, uniqueKeyOf } from './hall/telegrams.ts';
export { linePair } from './line-pair.ts';
export { openPty, type Pty, ptysAvailable } from './pty.ts';
export { PtyCable, PtyPort } from './pty-cable.ts';
export { Prng, type Seed, stream } from './random.ts';
export { type BrokerFaults, NO_FAULTS, type Scheduler, SimBroker } from './sim-broker.ts';
export { type Completion, SimDisk, type SimDiskOptions, SimFile, type SimWrite } from './sim-disk.ts';
export { SimNode, type SimNodeOptions } from './sim-node.ts';
export { SimSite, SiteNode, type SiteNodeOptions } from './sim-site.ts';
export { TcpProxy, type TcpTarget } from './tcp-proxy.ts';
export { Wire, type WireFaults, type WireOptions } from './wire.ts';
export { type Arrived, drawLedger, type Ledger, type Sent } from './witness.ts';
export { type Cancel, VirtualTimers, World } from './world.ts';
