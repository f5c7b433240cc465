/** Who does a job in a child process. */
import { unreachable } from '../../../shared/assert.ts';
import type { Actor } from '../../ring/actors/actor.ts';
import type { Job } from '../job.ts';
import { CentralActor } from './central.ts';
import { DevicesActor } from './devices.ts';
import { EdgeActor } from './edge.ts';
import { GatewayActor } from './gateway.ts';
import { PublisherActor } from './publisher.ts';
import { SubscriberActor } from './subscriber.ts';

export function actorFor(job: Job): Actor {
  switch (job.kind) {
    case 'central':
      return new CentralActor(job);
    case 'gateway':
      return new GatewayActor(job);
    case 'devices':
      return new DevicesActor(job);
    case 'publisher':
      return new PublisherActor(job);
    case 'edge':
      return new EdgeActor(job);
    case 'subscriber':
      return new SubscriberActor(job);
    default:
      return unreachable(job);
  }
}
