import { readdirSync, readFileSync } from 'node:fs';
import { format } from 'node:util';
import { expect, test, vi } from 'vitest';

const dir = new URL('./.samples/', import.meta.url);
const files = readdirSync(dir).filter((file) => file.endsWith('.ts') && !file.includes('.no-run.'));

/** The lines that a sample says it prints: `console.log(x); // => 3`. */
function promised(source: string): string[] {
  return [...source.matchAll(/\/\/ => ?(.*)$/gm)].map((match) => (match[1] ?? '').trimEnd());
}

test('there are samples', () => {
  expect(files.length).toBeGreaterThan(0);
});

for (const file of files) {
  test(file, async () => {
    const printed: string[] = [];
    const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
      printed.push(
        ...format(...values)
          .split('\n')
          .map((line) => line.trimEnd()),
      );
    });
    try {
      await import(/* @vite-ignore */ new URL(file, dir).href);
    } finally {
      log.mockRestore();
    }
    const want = promised(readFileSync(new URL(file, dir), 'utf8'));
    if (want.length > 0) expect(printed).toEqual(want);
  });
}
