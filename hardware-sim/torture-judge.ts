/**
 * What must be true of a ring that is tortured: see ring-torture.ts. Knows everything that was ever appended, and what damage may have
 * cost; speaks up by breaking an invariant.
 */
import { invariant } from '../shared/assert.ts';
import { equalBytes, toHex } from '../shared/bytes.ts';
import { PUT_BYTES } from '../shared/ring/entry-layout.ts';
import { OVERDRAFT_SHARE } from '../shared/ring/geometry.ts';
import { EPOCH_KEY, LOST_KEY } from '../shared/ring/ring.ts';
import { Touched } from './ring-damage.ts';
import { differenceOf, type ModelBatch, modelBody, type RingHarness, readBody, ringLines } from './ring-harness.ts';

/** Where everything lies: LSN by name. */
export type Places = ReadonlyMap<string, number>;

export class TortureJudge {
  /** Damage of which the next opening does not know yet. */
  readonly touched = new Touched();
  /** From the first damage on gaps may be reported, again and again. */
  wasDamaged = false;
  readonly #h: RingHarness;
  /** Sizes of all messages ever appended, bodies of those that have one of their own, and all values of META: what may show at all. */
  readonly #everBytes = new Map<number, number>();
  readonly #bodies = new Map<number, Uint8Array>();
  readonly #everValues = new Map<string, Set<string | undefined>>();
  /** Appended and not known to be durable, oldest first. */
  #open: ModelBatch[] = [];
  /** Called not written. */
  readonly #ghosts = new Set<number>();
  #refusalsSeen = 0;
  /** Messages whose bodies may be corrupt, for good. */
  readonly #mayBeCorrupt = new Set<number>();

  constructor(h: RingHarness) {
    this.#h = h;
  }

  appended(batch: ModelBatch): void {
    for (const { number, bytes, body } of batch.puts ?? []) {
      this.#everBytes.set(number, bytes);
      if (body !== undefined) this.#bodies.set(number, body);
    }
    for (const { key, value } of batch.metas ?? []) {
      const values = this.#everValues.get(key) ?? new Set();
      this.#everValues.set(key, values.add(value));
    }
    this.#open.push(batch);
  }

  /** An acknowledgement of this message is under way. */
  isLeaving(number: number): boolean {
    return this.#open.some((batch) => batch.acks?.includes(number));
  }

  /** From now on the message's body may be corrupt. */
  excuse(number: number): void {
    this.#mayBeCorrupt.add(number);
  }

  isExcused(number: number): boolean {
    return this.#mayBeCorrupt.has(number) || this.touched.numbers.has(number);
  }

  /** What `touched` names was damaged. */
  noteDamage(): void {
    this.wasDamaged = true;
    for (const number of this.touched.numbers) this.excuse(number);
  }

  /** Outcomes that are nobody's any more: of a ring that was overtaken. */
  forgetRefusals(): void {
    this.#refusalsSeen = this.#h.refused.length;
  }

  /** Everything appended is durable. */
  allDurable(): void {
    this.#open = [];
    this.#h.check();
  }

  /** The last outcomes belong to the last batches, in order: what was called not written must never be seen. */
  noteGhosts(): void {
    const h = this.#h;
    const outcomes = h.refused.slice(this.#refusalsSeen);
    this.#refusalsSeen = h.refused.length;
    const open = this.#trimOpen();
    open.slice(open.length - outcomes.length).forEach((batch, i) => {
      if (outcomes[i] !== 'not-written') return;
      for (const { number } of batch.puts ?? []) this.#ghosts.add(number);
    });
  }

  #trimOpen(): ModelBatch[] {
    const { outstandingCount } = this.#h;
    this.#open = outstandingCount === 0 ? [] : this.#open.slice(-outstandingCount);
    return this.#open;
  }

  /** Where everything lies. */
  places(): Places {
    const { index, metas } = this.#h.ring;
    const places = new Map<string, number>();
    for (const slot of index.slots()) places.set(`message ${index.number(slot)}`, index.lsn(slot));
    for (const [key] of metas.withPrefix(''))
      if (key !== EPOCH_KEY && key !== LOST_KEY) places.set(`META ${key}`, metas.lsnOf(key) ?? 0);
    return places;
  }

  /** After flushes that lied: `before` they did, and as they ended (`after`), things lay there. What did not move was durable. */
  judgeLies(before: Places, after: Places): void {
    const h = this.#h;
    this.wasDamaged = true;
    invariant(h.ring.state === 'serving', `the ring serves: ${h.ring.failure?.message}`);
    this.#judgeNothingInvented();
    const shown = this.places();
    for (const [what, lsn] of before) {
      if (after.get(what) === lsn) invariant(shown.get(what) !== undefined, `${what} at ${lsn} was durable long before`);
      else if (what.startsWith('message ')) this.excuse(Number(what.slice('message '.length)));
    }
    for (const number of this.#everBytes.keys()) if (!before.has(`message ${number}`)) this.excuse(number);
    h.believe();
    this.#open = [];
  }

  /** After an opening: everything that was called durable, and a prefix of what was not. */
  judge(cutShort: number): void {
    const h = this.#h;
    const { ring } = h;
    invariant(ring.state === 'serving', `the ring serves: ${ring.failure?.message}`);
    if (this.touched.isNothing) h.decide();
    else this.#judgeDamaged(cutShort);
    this.#open = [];
    if (!this.wasDamaged) invariant(ring.report.gaps.length === 0, `gaps: ${JSON.stringify(ring.report.gaps)}`);
    invariant(ring.report.messages === ring.index.count, 'the report counts what is there');
    this.#judgeOrder();
  }

  /** All but what was touched is as it should be; of that, whatever shows was there once, and what is missing was reported. */
  #judgeDamaged(cutShort: number): void {
    const h = this.#h;
    const { numbers, metas, told } = this.touched;
    const isUntouched = (line: string) => {
      const [kind, name] = line.split(' ');
      return kind === 'message' ? !numbers.has(Number(name)) : !metas.has(name ?? '');
    };
    const shown = ringLines(h.ring).filter(isUntouched);
    const candidate = h.durable.copy();
    let difference = differenceOf(shown, candidate.lines().filter(isUntouched));
    for (const batch of this.#trimOpen()) {
      if (difference === '') break;
      candidate.apply(batch);
      difference = differenceOf(shown, candidate.lines().filter(isUntouched));
    }
    invariant(difference === '', `damage costs more than what it hit:\n${difference}`);
    this.#judgeNothingInvented();
    const there = new Set([...h.ring.index.slots()].map((slot) => h.ring.index.number(slot)));
    // Whether a batch on its way ended a message that was hit cannot be seen by what was not hit.
    const mayBeEnded = new Set(this.#trimOpen().flatMap(({ acks }) => acks ?? []));
    const isDue = (number: number) => candidate.messages.has(number) && !mayBeEnded.has(number);
    const missing = [...told].filter((number) => isDue(number) && !there.has(number));
    const { gaps, tornBlocks } = h.ring.report;
    // An opening that was cut short may have told nobody of what it found.
    if (cutShort === 0)
      invariant(missing.length === 0 || gaps.length > 0 || tornBlocks > 0, `${missing} are missing and nobody says so`);
    this.touched.clear();
    h.believe();
  }

  #judgeNothingInvented(): void {
    const { index, metas } = this.#h.ring;
    const seen = new Set<number>();
    for (const slot of index.slots()) {
      const number = index.number(slot);
      invariant(!seen.has(number), `message ${number} is there twice`);
      seen.add(number);
      invariant(this.#everBytes.get(number) === index.bodyBytes(slot), `message ${number} is a phantom`);
    }
    for (const [key, value] of metas.withPrefix('')) {
      const wasSet = key === EPOCH_KEY || key === LOST_KEY || this.#everValues.get(key)?.has(toHex(value));
      invariant(wasSet === true, `META ${key} never had the value ${toHex(value)}`);
    }
  }

  #judgeOrder(): void {
    const { ring, nowMs } = this.#h;
    const { index } = ring;
    const slots = [...index.slots()].sort((a, b) => index.id(a) - index.id(b));
    let before = { number: 0, storedAtMs: 0 };
    for (const slot of slots) {
      const now = { number: index.number(slot), storedAtMs: index.storedAtMs(slot) };
      invariant(!this.#ghosts.has(now.number), `message ${now.number} was called not written`);
      invariant(now.number > before.number, `ids and numbers rise together: ${before.number}, ${now.number}`);
      invariant(now.storedAtMs >= before.storedAtMs, `queue time falls: ${before.storedAtMs}, ${now.storedAtMs}`);
      before = now;
    }
    invariant(ring.queueTime(nowMs) >= before.storedAtMs, 'queue time goes on where it was');
    const bytes = slots.reduce((sum, slot) => sum + PUT_BYTES + index.bodyBytes(slot), 0);
    const bytesMax = ring.bytesMax * (1 + 1 / OVERDRAFT_SHARE);
    // Damage brings back what was acknowledged in the frames it hit.
    invariant(this.wasDamaged || bytes <= bytesMax, `${bytes} bytes live, ${ring.bytesMax} may`);
  }

  checkBodies(): void {
    const { ring, driver, nowMs } = this.#h;
    for (const slot of [...ring.index.slots()]) {
      const number = ring.index.number(slot);
      const body = readBody(driver, ring.index.id(slot), nowMs);
      if (body !== undefined) this.judgeBody(number, body);
      else invariant(this.isExcused(number), `the body of message ${number} is lost`);
    }
  }

  judgeBody(number: number, body: Uint8Array): void {
    const bytes = this.#everBytes.get(number) ?? -1;
    const own = this.#bodies.get(number);
    const expected = own ?? modelBody({ number, bytes });
    invariant(equalBytes(body, expected), `message ${number} has a body that is not its own`);
  }
}
