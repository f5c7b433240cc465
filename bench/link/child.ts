/** One process for what must not disturb the rest, or must not be disturbed: its processor time is its own. */
import { measureGoodput } from './goodput.ts';
import type { Answer, Request } from './job.ts';
import { measureReplug } from './replug.ts';
import { SocketEnd } from './socket.ts';
import { measureUrgent } from './urgent.ts';

let end: { readonly socket: SocketEnd; readonly role: 'sends' | 'receives' } | undefined;

process.on('message', (request: Request) => {
  perform(request).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on('disconnect', () => process.exit(1));

async function perform(request: Request): Promise<unknown> {
  switch (request.kind) {
    case 'goodput':
      return measureGoodput(request.cell);
    case 'urgent':
      return measureUrgent(request.job);
    case 'replug':
      return measureReplug(request.job);
    case 'socket-open': {
      const { role, job } = request;
      end = { socket: await SocketEnd.open(job, role), role };
      if (role === 'sends') return end.socket.fill();
      return end.socket.listen();
    }
    case 'socket-go':
      return end?.role === 'receives' ? end.socket.measure() : end?.socket.dial();
    case 'socket-close':
      return end?.socket.close();
  }
}

function answer(message: Answer): void {
  process.send?.(message);
}
