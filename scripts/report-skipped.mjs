/**
 * A vitest reporter: lists every test that did not run, with its reason, after the results. The reason is the note of `context.skip(…)`;
 * where a whole `describe.skipIf(…)` is left out, it belongs into the name.
 */
export default class SkippedReporter {
  /** @param {ReadonlyArray<import('vitest/node').TestModule>} modules */
  onTestRunEnd(modules) {
    const lines = [];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state !== 'skipped') continue;
        const reason = result.note ?? (test.options.mode === 'todo' ? 'to do' : 'see the name');
        lines.push(`  ${module.relativeModuleId} > ${test.fullName}: ${reason}`);
      }
    }
    if (lines.length > 0) process.stdout.write(`\nNot run, and why:\n${lines.join('\n')}\n`);
  }
}
