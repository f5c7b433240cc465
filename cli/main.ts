/** `ringmail`: its commands. Has no branch worth testing. */
import type { CommandTable } from './args.ts';
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
  peek: async () => (await import('./peek.ts')).peek,
  transaction: async () => (await import('./transaction.ts')).transaction,
  queue: async () => (await import('./queue.ts')).queue,
  dead: async () => (await import('./dead.ts')).dead,
  redrive: async () => (await import('./letters.ts')).redrive,
  move: async () => (await import('./letters.ts')).move,
  outcome: async () => (await import('./outcome.ts')).outcome,
  ledger: async () => (await import('./ledger.ts')).ledger,
  trace: async () => (await import('./probe.ts')).trace,
  ping: async () => (await import('./probe.ts')).ping,
  producer: async () => (await import('./producer.ts')).producer,
  routes: async () => (await import('./routes.ts')).routes,
  holes: async () => (await import('./holes.ts')).holes,
  stats: async () => (await import('./stats.ts')).stats,
  ring: async () => (await import('./ring.ts')).ring,
  completion: async () => (await import('./completion.ts')).completionOf(COMMANDS),
  'demo-receiver': async () => (await import('./demo-receiver.ts')).demoReceiver,
};

await runProcess(COMMANDS);
