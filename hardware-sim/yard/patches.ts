/** Properties of objects that all share, replaced for a while. Whoever replaces later restores earlier. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

export class Patches {
  #undo: (() => void)[] = [];

  /** Own or inherited: an inherited one is hidden, and seen again afterwards. */
  replace(target: object, key: string, value: unknown): void {
    const old = Object.getOwnPropertyDescriptor(target, key);
    const enumerable = old?.enumerable ?? false;
    Object.defineProperty(target, key, { value, writable: true, configurable: true, enumerable });
    syncImports(target);
    this.#undo.push(() => {
      if (old === undefined) Reflect.deleteProperty(target, key);
      else Object.defineProperty(target, key, old);
      syncImports(target);
    });
  }

  /** All is as it was, the newest undone first. */
  restore(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }
}

/** Named imports of a built-in module are copies, which are brought up to date on request. */
function syncImports(target: object): void {
  if (target === crypto) syncBuiltinESMExports();
}
