/** One subject, one case, one process: memory and processor time are its own. */
import { actorFor } from './actors/actor.ts';
import { serveRequests } from './serve-requests.ts';

serveRequests(actorFor);
