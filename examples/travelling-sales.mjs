// A laptop ten days on the road: no network, a clock that nobody can trust, once without power. Its orders arrive once and in order when
// it is back, and a price is worth something for three days, whatever the clock says. The days are virtual: this takes a second.
import assert from 'node:assert/strict';
import { SimSite } from 'ringmail/sim';

const DAY_MS = 86_400_000;
const site = new SimSite('travelling sales');
const office = site.node('office');
// 0: what a machine without a battery shows, 1 January 1970.
const laptop = site.node('laptop', { uplink: 'link', dateMs: 0 });
const cable = site.link(laptop, office);
await site.pass(5_000);

// Three days from now, counted by every node on the way without asking what day it is.
await office.send('laptop/prices', { chair: 120 }, { timeToBeReceivedMs: 3 * DAY_MS });
await site.pass(10_000);
cable.unplug();

const taken = [];
for (let day = 1; day <= 10; day += 1) {
  const prices = await laptop.peek('prices');
  const offer = prices === undefined ? 'on request' : `${prices.value().get('chair')} each`;
  for (let i = 1; i <= 5; i += 1) {
    const order = { number: `${day}-${i}`, chairs: i, offer };
    // Resolves when it is on the laptop's disk. That is all the customer has to wait for.
    await laptop.send('office/orders', order);
    taken.push(order.number);
  }
  if (day % 3 === 1) console.log(`day ${day}: 5 orders, chairs ${offer}`);
  if (day === 4) laptop.setClock(+20 * 365 * DAY_MS); // a customer's child finds the settings
  if (day === 5) laptop.setClock(-35 * 365 * DAY_MS);
  if (day === 6) {
    laptop.powerOff();
    laptop.powerOn();
  }
  await site.pass(DAY_MS);
}
assert.equal(await office.peek('orders'), undefined);

cable.plug();
const arrived = [];
let offered = 0;
for (;;) {
  const order = await office.receive('orders', { waitMs: 60_000 });
  if (order === undefined) break;
  arrived.push(order.value().get('number'));
  if (order.value().get('offer') !== 'on request') offered += 1;
  await order.ack();
}
assert.deepEqual(arrived, taken);
assert.equal(offered, 15);
console.log(
  `back after ${Math.floor(site.nowMs / DAY_MS)} days: ${arrived.length} orders, once, in order; ${offered} of them at the old price`,
);

// What was too old was not dropped in silence: it is a dead letter on the laptop, with the reason.
const letter = await laptop.peek('$dead');
console.log(`the price list ended as ${letter.message.history[0].class} at ${letter.message.history[0].node}`);
assert.equal(letter.message.history[0].class, 'RECEIVE_TIMEOUT');
