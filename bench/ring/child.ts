/** One subject, one case, one process: memory and processor time are its own. Requests come by message, each is answered once. */
import { type Actor, actorFor } from './actors/actor.ts';
import type { Answer, Request } from './job.ts';

let actor: Actor | undefined;

process.on('message', (request: Request) => {
  perform(request).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on('disconnect', () => process.exit(1));

async function perform(request: Request): Promise<unknown> {
  switch (request.kind) {
    case 'start':
      actor = actorFor(request.job);
      return actor.start();
    case 'measure':
      return actor?.measure?.();
    case 'end':
      return actor?.end();
  }
}

function answer(message: Answer): void {
  process.send?.(message);
}
