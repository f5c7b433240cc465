/** Who does a job in a child process. */
import { unreachable } from '../../../shared/assert.ts';
import type { Actor } from '../../ring/actors/actor.ts';
import type { ChildJob } from '../job.ts';
import { ApiClientsActor } from './api-clients.ts';
import { ApiServerActor } from './api-server.ts';
import { ReceiveActor } from './receive.ts';
import { SendActor } from './send.ts';

export function actorFor(job: ChildJob): Actor {
  switch (job.kind) {
    case 'receive':
      return new ReceiveActor(job);
    case 'send':
      return new SendActor(job);
    case 'api-server':
      return new ApiServerActor(job);
    case 'api-clients':
      return new ApiClientsActor(job);
    default:
      return unreachable(job);
  }
}
