import type { Page } from 'playwright-core';

export function buildPage(root: string, files?: string | null): Promise<string>;
export function removePage(dir: string): void;

/** What a page may be asked to do. */
type JobTable = Readonly<Record<string, (...args: never[]) => unknown>>;

export class Site<Jobs extends JobTable = JobTable> {
  static open<Jobs extends JobTable>(dir: string, isolated?: boolean): Promise<Site<Jobs>>;
  readonly page: Page;
  readonly complaints: readonly string[];
  run<N extends keyof Jobs & string>(
    name: N,
    ...args: Parameters<Jobs[N]>
  ): Promise<Awaited<ReturnType<Jobs[N]>>>;
  close(): Promise<void>;
}
