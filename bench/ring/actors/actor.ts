/** Who does a job in a child process. */
import { unreachable } from '../../../shared/assert.ts';
import type { Job } from '../job.ts';
import { FillActor } from './fill.ts';
import { LoadActor } from './load.ts';
import { OpenActor, WriterActor } from './open.ts';
import { WearActor } from './wear.ts';

export interface Actor {
  /** Sets up. Of jobs that are done once, the result. */
  start(): Promise<unknown>;
  measure?(): Promise<unknown>;
  end(): Promise<void>;
}

export function actorFor(job: Job): Actor {
  switch (job.kind) {
    case 'load':
      return new LoadActor(job);
    case 'wear':
      return new WearActor(job);
    case 'writer':
      return new WriterActor(job);
    case 'open':
      return new OpenActor(job);
    case 'fill':
      return new FillActor(job);
    default:
      return unreachable(job);
  }
}
