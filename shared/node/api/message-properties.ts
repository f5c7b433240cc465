/** The properties of a message as a request names them, wherever they stand: in a query as text, in JSON as values. */
import type { Properties } from '../../message/message.ts';

const WHOLE = ['priority', 'appSpecific', 'timeToReachQueueMs', 'timeToBeReceivedMs', 'deliverAfterMs'] as const;
const TEXT = ['label', 'correlationId', 'responseQueue', 'acknowledge', 'deadLetter', 'journal'] as const;

/** All but headers and content type, which each form has in a way of its own. */
export const PROPERTY_NAMES: readonly string[] = [...WHOLE, ...TEXT];

/** What is said without being said: a client may write it all the same. */
const USUAL: Readonly<Record<string, string>> = { acknowledge: 'none', deadLetter: 'on', journal: 'off' };

export interface PropertySource {
  /** A whole number; undefined when it is not said. @throws PROPERTY_INVALID for anything else */
  readonly whole: (name: string) => number | undefined;
  readonly text: (name: string) => string | undefined;
}

/** Ranges and words are the node's to judge. */
export function readProperties(source: PropertySource): Properties {
  const properties: Record<string, number | string> = {};
  for (const name of WHOLE) {
    const value = source.whole(name);
    if (value !== undefined) properties[name] = value;
  }
  for (const name of TEXT) {
    const value = source.text(name);
    if (value !== undefined && value !== USUAL[name]) properties[name] = value;
  }
  return properties as Properties;
}
