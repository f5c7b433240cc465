// Three systems that know of each other only by queues: the order desk asks stock and pricing, and writes invoices. Pricing is stopped and
// comes back as version 2 while the others go on. No question is lost, and each gets the answer to it, once.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectNode } from 'ringmail';

const FOLDER = '.ringmail/workflow-agents';
const SOCKET = `${FOLDER}/shop.sock`;
const CONFIG = `
name = "shop"
queueLimit = "1 MiB"
[log]
level = "warn"
[queues.pricing]
[queues.stock]
[queues.replies]
[queues.invoices]
`;
const RINGMAIL = fileURLToPath(new URL('cli.js', import.meta.resolve('ringmail')));

const [, SELF, role, name] = process.argv;
if (role === 'agent') await agent();
else await main();

/** A system of its own: answers where the question says, with the correlation that the question carries. */
async function agent() {
  const shop = await connectNode({ socketPath: SOCKET });
  const queue = name.split('-')[0];
  const answer = async (question) => {
    const article = question.value().get('article');
    await rest(5);
    await shop.reply(question, queue === 'pricing' ? { cents: 100 * article, by: name } : { left: 1000 - article });
  };
  const consumer = shop.consume(queue, answer, { concurrency: 4, onError: (error) => console.error(name, error) });
  console.log(name, 'is there');
  // Asked to stop, it takes nothing more, finishes what it has in its hands, and goes.
  await new Promise((resolve) => process.on('SIGTERM', resolve));
  await consumer.stop();
  await shop.close();
}

async function main() {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/shop.toml`, CONFIG);
  const node = await start([RINGMAIL, 'node', '--config', `${FOLDER}/shop.toml`]);
  const stock = await start([SELF, 'agent', 'stock']);
  let pricing = await start([SELF, 'agent', 'pricing-v1']);

  const desk = await connectNode({ socketPath: SOCKET });
  const ask = (queue, question) => desk.request(queue, question, { waitMs: 60_000, label: `order ${question.order}` });
  const shelves = [];
  const sell = async (order) => {
    const question = { order, article: order % 7 };
    const price = ask('pricing', question);
    const shelf = ask('stock', question);
    shelves.push(shelf);
    const { cents, by } = Object.fromEntries((await price).value());
    await desk.send('invoices', { order, cents, by, left: (await shelf).value().get('left') });
  };
  const sellAll = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => sell(from + i));

  const sales = sellAll(1, 20);
  await Promise.all(sales.slice(0, 10));
  await stop(pricing);
  console.log('pricing v1 is gone; the desk goes on selling');
  sales.push(...sellAll(21, 40));
  await Promise.all(shelves);
  const { ready } = (await desk.queues()).find((queue) => queue.name === 'pricing');
  console.log(`stock has answered ${shelves.length} times, ${ready} questions wait for a price`);
  pricing = await start([SELF, 'agent', 'pricing-v2']);
  sales.push(...sellAll(41, 60));
  await Promise.all(sales);

  const invoices = [];
  for (let one = await desk.receive('invoices'); one !== undefined; one = await desk.receive('invoices')) {
    invoices.push(Object.fromEntries(one.value()));
    await one.ack();
  }
  const pricedBy = (version) => invoices.filter(({ by }) => by === version).length;
  console.log(`${invoices.length} invoices: ${pricedBy('pricing-v1')} priced by v1, ${pricedBy('pricing-v2')} by v2`);
  const orders = invoices.map(({ order }) => order).sort((a, b) => a - b);
  assert.deepEqual(
    orders,
    Array.from({ length: 60 }, (_, i) => i + 1),
  );
  assert.ok(invoices.every(({ order, cents }) => cents === 100 * (order % 7)));
  assert.ok(pricedBy('pricing-v1') >= 10 && pricedBy('pricing-v2') >= 40);
  assert.equal(await desk.peek('$dead'), undefined);
  await desk.close();
  for (const child of [pricing, stock, node]) await stop(child);
}

/** A process that is there once it says so, and that does not outlive this one. */
function start(args) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill());
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`${args.slice(1)} ended with ${code}`)));
  });
}

function stop(child) {
  child.kill('SIGTERM');
  return new Promise((resolve) => child.once('exit', resolve));
}
