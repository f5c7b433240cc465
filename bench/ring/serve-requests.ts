/** The child's side of a worker: requests come by message, each is answered once. */
import type { Actor } from './actors/actor.ts';
import type { Answer, Request } from './job.ts';

export function serveRequests<J>(actorFor: (job: J) => Actor): void {
  let actor: Actor | undefined;
  const perform = async (request: Request<J>): Promise<unknown> => {
    switch (request.kind) {
      case 'start':
        actor = actorFor(request.job);
        return actor.start();
      case 'measure':
        return actor?.measure?.();
      case 'end':
        return actor?.end();
    }
  };
  process.on('message', (request: Request<J>) => {
    perform(request).then(
      (result) => answer({ result }),
      (error: unknown) => answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(1));
}

function answer(message: Answer): void {
  process.send?.(message);
}
