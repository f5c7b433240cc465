import { stream } from '../hardware-sim/random.ts';
import { World } from '../hardware-sim/world.ts';
import { NodeTimers } from '../shared/node/timers.ts';
import { timersContract } from './timers.contract.ts';

/** Turns of the event loop after which nothing that was due is left. */
const TURNS = 3;

timersContract('this process', () => {
  const timers = new NodeTimers();
  const pass = async (ms: number): Promise<void> => {
    const untilMs = timers.nowMs() + ms;
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
    while (timers.nowMs() < untilMs) await turn();
    // What was due in the same turn may have been asked to wait for another one.
    for (let i = 0; i < TURNS; i++) await turn();
  };
  return { timers, pass };
});

// A clock that begins elsewhere: a node's time is that of its own boot.
for (const offsetMs of [0, 123_456.5]) {
  timersContract(`virtual, from ${offsetMs} ms on`, () => {
    const world = new World(stream('timers', offsetMs.toString()));
    return { timers: world.timers(offsetMs), pass: (ms) => world.run(world.nowMs + ms) };
  });
}
