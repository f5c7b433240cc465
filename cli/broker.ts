/** `ringmail broker`: an MQTT broker in a process of its own, for where there is none. It holds nothing: the rings do. */
import { startBroker } from '../gateway/embedded-broker.ts';
import { isLoopback, parseHostPort } from '../shared/node/config/line-address.ts';
import { defineCommand, usage } from './args.ts';
import { EXIT } from './exit-codes.ts';

export const broker = defineCommand(
  {
    name: 'broker',
    summary: 'run an MQTT 3.1.1 broker, for trying out and for sites that have none',
    operands: '',
    operandCount: { min: 0, max: 0 },
    options: {
      listen: { type: 'string', value: 'host:port', help: 'where to listen; 127.0.0.1:1883, port 0 is any free one' },
      'allow-remote': { type: 'boolean', help: 'listen beyond this machine; there are no passwords' },
    },
    notes: ['A broker keeps nothing that anybody relies on: kill it, and the rings send again.'],
  },
  async ({ values }, world) => {
    const address = parseHostPort(values.listen ?? '127.0.0.1:1883');
    if (address.kind === 'wrong') throw usage(`--listen: ${address.reason}`);
    if (!isLoopback(address.value.host) && values['allow-remote'] !== true) {
      throw usage(`--listen ${address.value.host} is reached from other machines; say so with --allow-remote`);
    }
    const running = await startBroker(address.value);
    await world.stdout(`port ${running.port}\npid ${process.pid}\n`);
    await new Promise<void>((resolve) => {
      if (world.signal.aborted) resolve();
      else world.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await running.close();
    return EXIT.ok;
  },
);
