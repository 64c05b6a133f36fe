/** A page in headless Chromium, built by Vite as a site would be, and what it is asked to do. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { build, defaultClientConditions } from 'vite';
import { chromiumPath } from './gpu-modes.mjs';

const shared = fileURLToPath(new URL('../../shared/conformance', import.meta.url));

/** Software rendering: WebGL and WebGPU on SwiftShader; nothing is fetched from outside. */
const flags = [
  ...['--no-sandbox', '--disable-dev-shm-usage', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-default-apps'],
  ...['--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
  ...['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
  // a microphone that beeps, allowed without a question
  ...['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
];

const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** What a page cannot have of Node; a module may stand in for them. */
const nodeModules = ['node:fs/promises', 'node:fs', 'node:path', 'node:crypto', 'node:os'];

/**
 * Builds a page for production, minified, on the sources of the packages. Returns the folder of the site.
 * @param files a module that stands in for Node's file modules
 */
export async function buildPage(root, files = null) {
  const outDir = mkdtempSync(join(tmpdir(), 'loretta-page-'));
  await build({
    root,
    base: './',
    logLevel: 'error',
    configFile: false,
    resolve: {
      conditions: ['loretta-source', ...defaultClientConditions],
      alias: files === null ? [] : nodeModules.map((find) => ({ find, replacement: files })),
    },
    worker: { format: 'es' },
    build: {
      outDir,
      emptyOutDir: true,
      minify: true,
      target: 'es2022',
      chunkSizeWarningLimit: 4096,
    },
  });
  return outDir;
}

function allFiles(dir) {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? allFiles(path) : [path];
  });
}

/** The conformance folder as one JSON: paths, and contents in base64. */
function conformanceJson() {
  const files = existsSync(shared) ? allFiles(shared) : [];
  const entries = files.map((path) => [
    `/conformance/${relative(shared, path)}`,
    readFileSync(path).toString('base64'),
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** Serves a folder on a free port of this machine; `isolated` allows shared memory (COOP and COEP). */
async function serve(dir, isolated) {
  const headers = isolated
    ? {
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'require-corp',
      }
    : {};
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://local').pathname;
    const file = join(dir, path === '/' ? 'index.html' : path);
    if (path === '/conformance.json') {
      response.writeHead(200, { ...headers, 'content-type': types['.json'] });
      response.end(conformanceJson());
    } else if (file.startsWith(dir) && existsSync(file)) {
      response.writeHead(200, {
        ...headers,
        'content-type': types[extname(file)] ?? 'application/octet-stream',
      });
      response.end(readFileSync(file));
    } else {
      response.writeHead(404, headers).end();
    }
  });
  await new Promise((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return server;
}

/** A built page, open in Chromium. */
export class Site {
  /** What the page printed as an error or threw. */
  complaints;
  /** Playwright's page. */
  page;
  #browser;
  #server;

  constructor(browser, server, page, complaints) {
    this.#browser = browser;
    this.#server = server;
    this.page = page;
    this.complaints = complaints;
  }

  /** Opens a folder that `buildPage` made. */
  static async open(dir, isolated = false) {
    const server = await serve(dir, isolated);
    const browser = await chromium.launch({ executablePath: chromiumPath, args: flags });
    const page = await browser.newPage();
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (m) => {
      if (m.type() === 'error') complaints.push(m.text());
    });
    page.setDefaultTimeout(600_000);
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return new Site(browser, server, page, complaints);
  }

  /** Calls a function of the page's global `jobs`; arguments and answer are JSON. */
  async run(name, ...args) {
    await this.page.waitForFunction('globalThis.jobs !== undefined');
    const call = `globalThis.jobs[${JSON.stringify(name)}](...${JSON.stringify(args)})`;
    return await this.page.evaluate(call);
  }

  async close() {
    await this.#browser.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Deletes what `buildPage` made. */
export function removePage(dir) {
  rmSync(dir, { recursive: true, force: true });
}
