/** What happens to brokers, and what must come of it: everything that was accepted arrives, once; where nothing can move it is said. */
import { connectAsync } from 'mqtt';
import { type Setup, TINY_BYTES } from './kinds.ts';
import { pause, type Result, type Site } from './site.ts';

export interface Fault {
  readonly name: string;
  readonly setup: Setup;
  /** Why it is none of this broker's; undefined: as its setup says. */
  readonly lacks?: (broker: string) => string | undefined;
  /** How many of those that were accepted end at the gateway, with their letters. */
  readonly dead?: number;
  readonly play: (site: Site) => Promise<Result | Trouble>;
}

/** Nothing can move, and the gateway says why. */
export interface Trouble extends Result {
  readonly cause: string;
}

const PER_SECOND = 300;
const SETTLE_MS = 60_000;
/** Above what health waits before it calls a standstill one, and its last look. */
const STANDSTILL_MS = 64_000;

export const FAULTS: readonly Fault[] = [
  {
    name: 'kill -9 after PUBACK',
    setup: 'plain',
    play: async (site) => {
      await site.openCentral();
      const sending = site.send(900, PER_SECOND);
      for (let kill = 0; kill < 2; kill++) {
        await pause(700);
        await site.endBroker('SIGKILL');
        await site.startBroker();
      }
      await sending;
      return site.settle(SETTLE_MS);
    },
  },
  {
    name: 'disk full',
    setup: 'full-disk',
    play: async (site) => {
      await site.openCentral();
      await site.send(600, PER_SECOND);
      await pause(3_000);
      // Where a full disk stops it nothing is lost; with room again all of it comes.
      if (site.held > 0) {
        await site.endBroker('SIGKILL');
        await site.startBroker('plain');
      }
      return site.settle(SETTLE_MS);
    },
  },
  {
    name: 'persistence on, kill -9',
    setup: 'persistent',
    play: async (site) => {
      await site.openCentral();
      const sending = site.send(600, PER_SECOND);
      await pause(1_000);
      await site.endBroker('SIGKILL');
      await site.startBroker();
      await sending;
      return site.settle(SETTLE_MS);
    },
  },
  {
    name: 'no subscriber',
    setup: 'plain',
    play: async (site) => {
      await site.send(300, PER_SECOND);
      await pause(1_000);
      if (site.held !== 300) throw new Error(`${300 - site.held} messages were freed while nobody was there`);
      await site.openCentral();
      return site.settle(SETTLE_MS);
    },
  },
  {
    name: 'publish denied',
    setup: 'denied',
    play: async (site) => {
      await site.openCentral();
      await site.send(50, PER_SECOND);
      await pause(STANDSTILL_MS);
      return { ...site.result(), cause: site.cause };
    },
  },
  {
    name: 'slow subscriber',
    setup: 'plain',
    play: async (site) => {
      await site.openCentral();
      await site.send(50, PER_SECOND);
      site.cables.central.stall();
      await site.send(3_000, 10_000);
      return site.settle(SETTLE_MS);
    },
  },
  {
    name: 'session lost',
    setup: 'plain',
    play: async (site) => {
      await site.openCentral();
      const sending = site.send(900, PER_SECOND);
      for (let cut = 0; cut < 4; cut++) {
        await pause(500);
        const cable = site.cables[cut % 2 === 0 ? 'central' : 'gateway'];
        cable.cut();
        cable.restore();
      }
      await sending;
      return site.settle(SETTLE_MS);
    },
  },
  {
    name: 'takeover of a client id',
    setup: 'plain',
    play: async (site) => {
      await site.openCentral();
      const sending = site.send(900, PER_SECOND);
      for (let times = 0; times < 4; times++) {
        await pause(500);
        const clientId = `ringmail-${times % 2 === 0 ? 'central' : 'gateway'}`;
        const { protocol } = site.kind;
        const rival = await connectAsync(`mqtt://127.0.0.1:${site.port}`, {
          clientId,
          protocolVersion: protocol,
          reconnectPeriod: 0,
        });
        await pause(100);
        await rival.endAsync(true);
      }
      await sending;
      return site.settle(SETTLE_MS);
    },
  },
  {
    name: 'Receive Maximum 1',
    setup: 'one-in-flight',
    play: async (site) => {
      await site.openCentral();
      await site.send(600, PER_SECOND);
      return site.settle(SETTLE_MS);
    },
  },
  {
    name: 'tiny packets',
    setup: 'tiny-packets',
    dead: 1,
    play: async (site) => {
      // They wait, so that they would go as one publish that is larger.
      await site.send(200, 10_000);
      await site.send(1, PER_SECOND, 2 * TINY_BYTES);
      await site.send(50, 10_000);
      await site.openCentral();
      // Of MQTT 3.1.1 it only ends the connection: what is too large is found by trying, over some reconnects.
      return site.settle(2 * SETTLE_MS, 1);
    },
  },
  {
    name: 'restart under load',
    setup: 'plain',
    play: async (site) => {
      await site.openCentral();
      const sending = site.send(900, PER_SECOND);
      await pause(1_000);
      await site.endBroker('SIGTERM');
      await site.startBroker();
      await sending;
      return site.settle(SETTLE_MS);
    },
  },
  {
    name: 'half-open connection',
    setup: 'plain',
    play: async (site) => {
      await site.openCentral();
      await site.send(50, PER_SECOND);
      site.cables.gateway.stall();
      await site.send(300, PER_SECOND);
      return site.settle(SETTLE_MS);
    },
  },
];
