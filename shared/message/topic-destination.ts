/**
 * `topic:<topic>`: where a route sends what is for subscribers that know nothing of ringmail. A topic that is published to has no
 * wildcards [MQTT-3.3.2-2], no U+0000 [MQTT-1.5.4-2] and no `$` in front, which belongs to the broker.
 */
import { toUtf8 } from '../bytes.ts';

const PREFIX = 'topic:';
/** Of a topic, in bytes: well within 65,535 of MQTT, so that a stream's name fits a META value beside others. */
export const TOPIC_BYTES_MAX = 512;

export function isTopicDestination(text: string): boolean {
  return text.startsWith(PREFIX);
}

export function topicOf(destination: string): string {
  return destination.slice(PREFIX.length);
}

/** Why nothing can be published there; undefined where it can. */
export function topicProblem(topic: string): string | undefined {
  if (topic === '') return 'a topic has at least one character';
  if (/[+#]/.test(topic)) return 'a topic that is published to has no + and no #';
  if (topic.includes('\u0000')) return 'a topic has no U+0000';
  if (topic.startsWith('$')) return "topics that begin with $ are the broker's own";
  if (topic.startsWith('ringmail/')) return 'topics below ringmail/ are for nodes';
  if (/\p{Surrogate}/u.test(topic)) return 'a topic is Unicode';
  const { length } = toUtf8(topic);
  return length > TOPIC_BYTES_MAX ? `a topic has at most ${TOPIC_BYTES_MAX} bytes, not ${length}` : undefined;
}
