/** Topic filters of MQTT: `+` stands for one level, `#` at the end for all that follow and for the level above them [MQTT-4.7]. */
import { TEXT_LENGTH_MAX } from './message.ts';

/** A wildcard in front never stands for a topic that begins with `$` [MQTT-4.7.2-1]. */
export function topicMatches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && !filter.startsWith('$')) return false;
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [at, level] of wanted.entries()) {
    if (level === '#') return true;
    if (at >= levels.length || (level !== '+' && level !== levels[at])) return false;
  }
  return wanted.length === levels.length;
}

/** Why it is no filter of topics that clients may publish to; undefined where it is one. */
export function filterProblem(filter: string): string | undefined {
  if (filter === '') return 'a topic has at least one character';
  if (filter.length > TEXT_LENGTH_MAX) return `a topic has at most ${TEXT_LENGTH_MAX} characters here, not ${filter.length}`;
  if (filter.includes('\u0000') || /\p{Surrogate}/u.test(filter)) return 'a topic is Unicode without U+0000';
  if (filter.startsWith('$')) return 'topics that begin with $ are for brokers to speak of themselves';
  const levels = filter.split('/');
  const wrong = levels.find((level, at) => /[+#]/.test(level) && level !== '+' && !(level === '#' && at === levels.length - 1));
  return wrong === undefined ? undefined : '+ stands for one whole level, and # for all that are left, at the end';
}
