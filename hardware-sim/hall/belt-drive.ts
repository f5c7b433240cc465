/** Runs a belt controller in real time on whatever line is there: the only place where it meets a clock. */

import type { Line } from '../../shared/ports.ts';
import type { BeltController, BeltStep } from './belt-controller.ts';

export class BeltDrive {
  readonly #controller: BeltController;
  #line: Line | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(controller: BeltController) {
    this.#controller = controller;
  }

  /** The belt has this line from now on; one that was there before is forgotten. Until it closes. */
  attach(line: Line): void {
    this.#line = line;
    line.listen({
      onBytes: (bytes) => {
        if (this.#line === line) this.#do(this.#controller.bytes(bytes, performance.now()));
      },
      onClosed: () => {
        if (this.#line !== line) return;
        this.#line = undefined;
        this.#do(this.#controller.lineDown(performance.now()));
      },
    });
    this.#do(this.#controller.lineUp(performance.now()));
  }

  /** No new telegrams. Resolves when the one that waited is acknowledged, however long that takes. */
  stop(): Promise<void> {
    this.#controller.stop();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      this.#do(this.#controller.tick(performance.now()));
    });
  }

  /** Nothing is written any more, nothing wakes up. The line stays as it is. */
  close(): void {
    this.#line = undefined;
    clearTimeout(this.#timer);
  }

  #do(step: BeltStep): void {
    for (const bytes of step.writes) this.#line?.write(bytes);
    clearTimeout(this.#timer);
    if (step.wakeAtMs !== undefined) {
      const delayMs = Math.max(0, Math.ceil(step.wakeAtMs - performance.now()));
      this.#timer = setTimeout(() => this.#do(this.#controller.tick(performance.now())), delayMs);
    }
    if (this.#controller.outstanding === undefined) this.#onIdle?.();
  }
}
