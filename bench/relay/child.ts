/** One part of the way, in a process of its own: its memory and processor time are nobody else's. */
import { serveRequests } from '../ring/serve-requests.ts';
import { actorFor } from './actors/actor.ts';

serveRequests(actorFor);
