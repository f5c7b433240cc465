/**
 * Topics with gaps that each message fills: `hall/{origin}/{label}`.
 *
 *   {origin}         the node that accepted the message      {label}           its label
 *   {queue}          the queue that it was sent to           {contentType}     its content type
 *   {priority}       0 to 7                                  {correlationId}   its correlation id
 *   {header:<name>}  one of its headers
 *
 * What a topic may not have becomes `_`, what a message does not have `-`. A `/` in what fills a gap makes levels, like any other.
 */
import { identityText, parseIdentity } from './identity.ts';
import type { Message } from './message.ts';

const GAP = /\{([^{}]*)\}/g;
const NAMES = ['origin', 'queue', 'priority', 'label', 'contentType', 'correlationId'] as const;
type Name = (typeof NAMES)[number];

/** Why it is none; undefined where it is one, with gaps or without. */
export function templateProblem(template: string): string | undefined {
  const gaps = [...template.matchAll(GAP)].map(([, name = '']) => name);
  const unknown = gaps.find((name) => !isName(name) && !/^header:./.test(name));
  if (unknown !== undefined) return `{${unknown}} is none of {${NAMES.join('}, {')}}, {header:<name>}`;
  return /[{}]/.test(template.replaceAll(GAP, '')) ? 'a brace without its other half' : undefined;
}

/** Whether a topic can be published to is not known yet: what fills it is the sender's. */
export function fillTopic(template: string, message: Message): string {
  if (!template.includes('{')) return template;
  return template.replaceAll(GAP, (gap, name: string) => {
    const value = name.startsWith('header:') ? message.headers?.get(name.slice(7)) : isName(name) ? gapOf(name, message) : gap;
    return (value === undefined || value === '' ? '-' : value).replaceAll(/[+#\p{Cc}\p{Surrogate}]/gu, '_');
  });
}

/** The message that this one was made of: whoever routed it made a new one. */
export function originalOf({ previous, identity }: Message): string {
  return previous ?? identityText(identity);
}

function gapOf(name: Name, message: Message): string | undefined {
  switch (name) {
    case 'origin':
      return (parseIdentity(originalOf(message)) ?? message.identity).origin;
    case 'queue':
      return parseIdentity(originalOf(message))?.destination.split('/').at(-1);
    case 'priority':
      return String(message.priority);
    default:
      return message[name];
  }
}

function isName(text: string): text is Name {
  return NAMES.some((name) => name === text);
}
