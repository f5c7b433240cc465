import { openNode } from 'ringmail';

const node = await openNode({ name: 'box-1', ring: './.ringmail/first-steps.ring' });

// Resolves when the message is on the disk: from here on a power cut does not lose it.
const identity = await node.send('bags', { tag: '0117814872', belt: 3 }, { priority: 5, label: 'belt-3' });
console.log('stored', identity);

const delivery = await node.receive('bags', { waitMs: 1_000 });
console.log('received', delivery.value(), 'priority', delivery.message.priority);

// Resolves when the message can never come again. Crash before this line, and it does.
await delivery.ack();
await node.close();
