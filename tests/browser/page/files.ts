/**
 * Stands in for node:fs, node:fs/promises, node:path, node:crypto and node:os in the page: a read-only folder that was fetched
 * before. What writes is missing, so that a bundle that needs it does not build.
 */
const files = new Map<string, Uint8Array>();

/** Puts files in place: paths, and contents in base64. */
export function mount(contents: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(contents)) {
    files.set(
      path,
      Uint8Array.from(atob(text), (c) => c.charCodeAt(0)),
    );
  }
}

export function existsSync(path: string): boolean {
  return files.has(path);
}

export function readdirSync(dir: string): string[] {
  const prefix = `${dir}/`;
  const inside = [...files.keys()].filter((path) => path.startsWith(prefix));
  return [...new Set(inside.map((path) => path.slice(prefix.length).split('/')[0]!))];
}

export function readFileSync(path: string): Uint8Array;
export function readFileSync(path: string, encoding: 'utf8'): string;
export function readFileSync(path: string, encoding?: 'utf8'): Uint8Array | string {
  const bytes = files.get(path);
  if (bytes === undefined) throw Object.assign(new Error(`no file ${path}`), { code: 'ENOENT' });
  return encoding === undefined ? bytes.slice() : new TextDecoder().decode(bytes);
}

export async function readFile(path: string): Promise<Uint8Array> {
  return readFileSync(path);
}

export async function access(path: string): Promise<void> {
  readFileSync(path);
}

/** What is asked of `stat`. */
interface Info {
  readonly size: number;
  isFile(): boolean;
}

export async function stat(path: string): Promise<Info> {
  const { length: size } = readFileSync(path);
  return { size, isFile: () => true };
}

/** A file to read from. */
export async function open(path: string): Promise<{
  stat(): Promise<Info>;
  readFile(): Promise<Uint8Array>;
  read(
    into: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}> {
  const bytes = readFileSync(path);
  return {
    stat: () => stat(path),
    readFile: async () => bytes,
    async read(into, at, length, position) {
      const part = bytes.subarray(position, position + length);
      into.set(part, at);
      return { bytesRead: part.length };
    },
    close: async () => {},
  };
}

async function refused(): Promise<never> {
  throw new Error('the page has no files to write and no folders to list');
}
export {
  refused as copyFile,
  refused as mkdir,
  refused as readdir,
  refused as rename,
  refused as rm,
  refused as rmdir,
};
/** How to copy: nothing is. */
export const constants = {};

export function resolve(...parts: readonly string[]): string {
  return join(...parts);
}

function noNames(): never {
  throw new Error('the page writes no files, so none needs a temporary name');
}
export { noNames as createHash, noNames as extname, noNames as hostname, noNames as randomBytes };

export function join(...parts: readonly string[]): string {
  const path = parts.join('/').replace(/\/+/g, '/');
  // what is before a step up goes with it
  return path.replace(/[^/]+\/\.\.\//g, '');
}

export function dirname(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

export function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
