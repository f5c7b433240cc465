/** `ringmail`: its commands. Has no branch worth testing. */
import type { CommandTable } from './run.ts';
import { runProcess } from './run-process.ts';

/** In the order of the help. To add one: its name, and where it is loaded from. */
const COMMANDS: CommandTable = {
  demo: async () => (await import('./demo.ts')).demo,
  node: async () => (await import('./node.ts')).node,
  device: async () =>
    (await import('./node.ts')).presetCommand('device', 'run a device: adapters, a ring, a link to the gateway'),
  gateway: async () =>
    (await import('./node.ts')).presetCommand('gateway', 'run a gateway: links from devices, a relay over MQTT'),
  central: async () =>
    (await import('./node.ts')).presetCommand('central', 'run a central: takes what comes over MQTT, serves applications'),
  broker: async () => (await import('./broker.ts')).broker,
  send: async () => (await import('./send.ts')).send,
  receive: async () => (await import('./receive.ts')).receive,
  stats: async () => (await import('./stats.ts')).stats,
  ring: async () => (await import('./ring.ts')).ring,
  'demo-receiver': async () => (await import('./demo-receiver.ts')).demoReceiver,
};

await runProcess(COMMANDS);
