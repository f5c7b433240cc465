/**
 * What may be published now, and in which order: the most urgent stream first, among equals what came in this session before what waited
 * for it (a backlog has one publish in four), then the one that was served least recently;
 * within the window, within each stream's credit, and together what goes to one topic. Nothing is delayed to fill a batch. Over a metered
 * uplink what is not urgent waits for its meter.
 */
import type { Meter } from '../custody/meter.ts';
import type { Age, CustodySender, SendingStream } from '../custody/sender.ts';
import { LIVE_IN_ROW_MAX, URGENT_PRIORITY_MIN } from '../limits.ts';
import { streamText } from '../message/identity.ts';
import type { Publish } from '../ports.ts';
import { Batch, costOf } from './batch.ts';
import { encodePublish, publishBytes, type Speaker } from './publish-layout.ts';
import type { ProgressedStream } from './receipt-layout.ts';
import { SendWindow, type WindowLimits } from './send-window.ts';
import { type RelayPath, topicFor } from './topics.ts';
import type { Leave } from './trial.ts';

export interface PublisherLimits extends WindowLimits {
  readonly batchBytesMax: number;
  /** Of a publish. */
  readonly itemCountMax: number;
}

/** A stream of this session that something was published of, or that waits. */
interface Track {
  readonly stream: SendingStream;
  readonly topic: string;
  age: Age;
  /** `holed`: the receiver let something of it fall; only a new session goes back there. */
  state: 'flowing' | 'holed';
  /** Credit that the item at its place wants and did not get. */
  wantedBytes: number;
  /** Counts up: who was served last has the highest. */
  servedAt: number;
}

export class RelayPublisher {
  readonly window: SendWindow;
  publishedCount = 0;
  /** Set while whole batches are suspected of not getting through. */
  itemCountMax = Number.POSITIVE_INFINITY;
  /** Of the payload of a publish, as far as the broker takes it. */
  payloadBytesMax = Number.POSITIVE_INFINITY;
  /** An item that alone is more than that. Nothing is published before it is gone. */
  tooLarge: { readonly stream: SendingStream; readonly number: number } | undefined;
  /** The next item of something is being read from the ring: ask again after the next step. */
  isReading = false;
  /** Something waits for credit, and nothing of it is on its way that could bring some. */
  isStarved = false;
  readonly #sender: CustodySender;
  readonly #path: RelayPath;
  readonly #limits: PublisherLimits;
  readonly #meter: Meter | undefined;
  readonly #tracks = new Map<string, Track>();
  #serves = 0;
  /** Publishes of live streams since the last one that began with a backlog, while there was some. */
  #liveInRow = 0;
  /** Tracks that are holed. */
  #holes = 0;

  constructor(options: { sender: CustodySender; path: RelayPath; limits: PublisherLimits; meter?: Meter | undefined }) {
    const { sender, path, limits, meter } = options;
    this.#sender = sender;
    this.#path = path;
    this.#limits = limits;
    this.#meter = meter;
    this.window = new SendWindow(limits);
  }

  /** When the meter lets go what it holds back. Never, where it holds nothing back. */
  get openAtMs(): number {
    return (this.#sender.isHeldBack ? this.#meter?.opensAtMs : undefined) ?? Number.POSITIVE_INFINITY;
  }

  /** Another session: nothing is on its way in it. */
  reset(): void {
    this.window.clear();
    this.#tracks.clear();
    this.#holes = 0;
    this.isStarved = false;
    this.tooLarge = undefined;
  }

  /** Takes what waits and may go. `leave`: so much of it. Call while the sender is `ready`. */
  publish(speaker: Speaker, nowMs: number, leave: Exclude<Leave, 'wait'>): Publish[] {
    const publishes: Publish[] = [];
    this.isReading = false;
    this.#sender.isHeldBack = false;
    let work = this.#inOrder();
    for (let at = 0; at < work.length && this.window.isOpen; ) {
      if (this.window.count >= leave.publishCountMax) break;
      const priorityMin = this.#meter === undefined || this.#meter.isOpen(nowMs) ? 0 : URGENT_PRIORITY_MIN;
      if ((work[at]?.stream.key.priority ?? 0) < priorityMin) {
        this.#sender.isHeldBack = true;
        break; // all that follow are no more urgent
      }
      const batch = this.#fill(work, at, { priorityMin, bytesMax: leave.bytesMax });
      if (this.tooLarge !== undefined && batch.items.length === 0) break;
      if (batch.items.length === 0) {
        if (batch.isFull) break; // what is most urgent waits for the window; nothing smaller may take its room
        at += 1;
        continue;
      }
      const payload = encodePublish(speaker, batch.items);
      this.window.add({ parts: batch.parts, itemCount: batch.items.length }, payload.length, nowMs);
      this.publishedCount += 1;
      const publish: Publish = { topic: batch.topic, payload, qos: 1, retain: 'transient' };
      this.#meter?.spend(publishBytes(publish), nowMs);
      publishes.push(publish);
      if (this.#turns(work[at], work)) {
        work = this.#inOrder();
        at = 0;
      }
    }
    this.isStarved = this.#holes > 0 || work.some(({ stream }) => this.#waitsForCredit(stream));
    return publishes;
  }

  /**
   * Cursors and credit from the receiver. `sync` when only a new session can go on: something was let fall and there is room for
   * it again, or the cursor is one that cannot be.
   */
  receipted(cursors: readonly ProgressedStream[], nowMs: number): { hasProgressed: boolean; next: 'go-on' | 'sync' } {
    let next: 'go-on' | 'sync' = 'go-on';
    for (const { stream: key, cursor, credit, hasMissed } of cursors) {
      const staleBefore = this.#sender.staleCount;
      this.#sender.acknowledged(key, cursor, credit);
      if (this.#sender.staleCount !== staleBefore) next = 'sync';
      const track = this.#tracks.get(streamText(key));
      if (track === undefined) continue;
      if (hasMissed) {
        if (track.state === 'flowing') this.#holes += 1;
        track.state = 'holed';
        this.window.forget(track.stream, nowMs);
      }
      if (track.state === 'holed' && credit > 0) next = 'sync';
    }
    return { hasProgressed: this.window.settle(nowMs), next };
  }

  /** Who has something, in the order in which they may go on. */
  #inOrder(): Track[] {
    const first = this.#liveInRow >= LIVE_IN_ROW_MAX ? 'backlog' : 'live';
    const work = this.#sender.streamsWithWork().map((stream) => this.#trackOf(stream));
    for (const track of work) track.age = this.#sender.ageOf(track.stream);
    const rank = ({ age }: Track): number => (age === first ? 0 : 1);
    return work.sort((a, b) => b.stream.key.priority - a.stream.key.priority || rank(a) - rank(b) || a.servedAt - b.servedAt);
  }

  /** Counts a publish that began with `served`. True when it is another age's turn now. */
  #turns(served: Track | undefined, work: readonly Track[]): boolean {
    const before = this.#liveInRow;
    const priority = served?.stream.key.priority;
    const isBacklogWaiting =
      served?.age === 'live' && work.some(({ age, stream }) => age === 'backlog' && stream.key.priority === priority);
    this.#liveInRow = isBacklogWaiting ? before + 1 : 0;
    return before >= LIVE_IN_ROW_MAX || this.#liveInRow >= LIVE_IN_ROW_MAX;
  }

  #trackOf(stream: SendingStream): Track {
    const text = streamText(stream.key);
    let track = this.#tracks.get(text);
    if (track === undefined) {
      const topic = topicFor(this.#path, stream.key);
      track = { stream, topic, state: 'flowing', age: 'live', wantedBytes: 0, servedAt: 0 };
      this.#tracks.set(text, track);
    }
    return track;
  }

  /**
   * A batch that begins with the stream at `at`, and what else goes to the same topic and is urgent enough. Empty when that one may not
   * go on.
   */
  #fill(work: readonly Track[], at: number, now: { readonly priorityMin: number; readonly bytesMax: number }): Batch {
    const topic = work[at]?.topic ?? '';
    const { payloadBytesMax, window } = this;
    const itemCountMax = Math.min(this.itemCountMax, this.#limits.itemCountMax);
    const burstBytes = this.#meter?.cap.burstBytes ?? Number.POSITIVE_INFINITY;
    const bytesMax = Math.min(this.#limits.batchBytesMax, now.bytesMax, burstBytes);
    const batch = new Batch(topic, { bytesMax, payloadBytesMax, roomBytes: window.room, itemCountMax });
    for (let i = at; i < work.length && !batch.isFull; i++) {
      const track = work[i];
      if (track?.topic !== topic || track.stream.key.priority < now.priorityMin) continue;
      this.#fillFrom(track, batch);
      if (batch.items.length === 0) break;
    }
    return batch;
  }

  #fillFrom(track: Track, batch: Batch): void {
    const { stream } = track;
    while (!batch.isFull && this.#mayGoOn(track, batch)) {
      const taken = this.#sender.take(stream);
      if (taken.kind === 'loading') this.isReading = true;
      if (taken.kind !== 'item') return;
      const { item } = taken;
      track.wantedBytes = costOf(item);
      const offered = this.#hasCredit(track, batch) ? batch.offer(stream, item) : 'does-not-fit';
      if (offered === 'too-large') this.tooLarge = { stream, number: item.number };
      if (offered !== 'added') {
        this.#sender.rewind(stream, item.number);
        return;
      }
      track.wantedBytes = 0;
      track.servedAt = ++this.#serves;
    }
  }

  /** False where taking the next item is known to be in vain. */
  #mayGoOn(track: Track, batch: Batch): boolean {
    if (track.state === 'holed') return false;
    return isGapNext(track.stream) || (track.stream.credit > 0 && this.#hasCredit(track, batch));
  }

  /** One message may always go while there is any credit: it may be larger than all that is left. */
  #hasCredit({ stream, wantedBytes }: Track, batch: Batch): boolean {
    const outstanding = this.window.outstandingOf(stream) + batch.bytesOf(stream);
    return wantedBytes === 0 || outstanding + wantedBytes <= stream.credit || (outstanding === 0 && stream.credit > 0);
  }

  #waitsForCredit(stream: SendingStream): boolean {
    return stream.credit <= 0 && !isGapNext(stream) && this.window.outstandingOf(stream) === 0;
  }
}

/** The item at the stream's place is no message: it needs no credit. */
function isGapNext({ out, send }: SendingStream): boolean {
  return send < out.lo || out.gaps.some(({ from, to }) => from <= send && send <= to);
}
