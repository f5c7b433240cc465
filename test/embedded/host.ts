/**
 * What the tests of the embedded profile have in common: the script that is built for engines without modules, and a program that is
 * run beside it in such an engine. The program knows three functions of its host and nothing else:
 *
 *   hostRead(offset, length) ─▶ ArrayBuffer      hostWrite(offset, buffer)      hostRandom(count) ─▶ ArrayBuffer
 */
import { readFileSync } from 'node:fs';

export const SCRIPT_PATH = new URL('../../dist/embedded.script.js', import.meta.url);

/** As a device has it: without the name of its source map. */
export function embeddedScript(): string {
  return readFileSync(SCRIPT_PATH, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '');
}

/** `start()` opens a node; `call(…)` asks it, and gives the result of the answer. */
export function hostProgram(storageBytes: number): string {
  return `
    const storage = {
      size: ${storageBytes},
      read: (offset, into) => into.set(new Uint8Array(hostRead(offset, into.length))),
      writeDurable: (offset, bytes) => hostWrite(offset, bytes.slice().buffer),
    };
    const random = { bytes: (count) => new Uint8Array(hostRandom(count)) };
    let nowMs = 0;
    let node;
    const run = () => node.run(++nowMs);
    const start = () => {
      node = new ringmail.EmbeddedNode(
        { name: 'box-1', queues: [{ name: 'bags', bytesLimit: 250000 }] },
        { storage, random, durability: 'sync' },
      );
      return run().map(({ kind }) => kind).join(' ');
    };
    const call = (asked) => {
      const token = node.ask(asked);
      const answer = run().find((event) => event.kind === 'answer' && event.token === token);
      if (answer?.result.kind === 'error') throw answer.result.error;
      return answer?.result;
    };
    const send = (text) =>
      call({ verb: 'send', destination: 'bags', body: ringmail.toUtf8(text), properties: { label: 'Gepäck 🧳' } }).durability;
    const receive = () => call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1000 });
    const receiveAndAck = () => {
      const { kind, received } = receive();
      if (kind !== 'received') return kind;
      const acked = call({ verb: 'ack', lease: received.lease }).kind;
      return [received.message.identity.number, ringmail.fromUtf8(received.message.body), received.message.label, acked].join(' ');
    };
    const close = () => {
      node.close();
      return run().map(({ kind }) => kind).join(' ');
    };`;
}
