/**
 * `topic:<topic>`, or `topic+<format>:<topic>`: where a route sends what is for subscribers that know nothing of ringmail. A topic that is published to has no
 * wildcards [MQTT-3.3.2-2], no U+0000 [MQTT-1.5.4-2] and no `$` in front, which belongs to the broker.
 */
import { toUtf8 } from '../bytes.ts';

/** `raw` is the body as it is, and is not written; `envelope` the whole message as it lies on the disk. */
export type TopicFormat = 'raw' | 'json' | 'cloudevents' | 'envelope';

const PREFIX = /^topic(?:\+(json|cloudevents|envelope))?:/;
/** Of a topic, in bytes: well within 65,535 of MQTT, so that a stream's name fits a META value beside others. */
export const TOPIC_BYTES_MAX = 512;

export function isTopicDestination(text: string): boolean {
  return text.startsWith('topic') && PREFIX.test(text);
}

export function topicOf(destination: string): string {
  return destination.slice(destination.indexOf(':') + 1);
}

export function topicFormatOf(destination: string): TopicFormat {
  return (PREFIX.exec(destination)?.[1] as TopicFormat | undefined) ?? 'raw';
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
