/** Every relative link, anchor and image of the pages leads somewhere; excerpts are what the file says. No network. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

function pages(): string[] {
  const inside = (folder: string) =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}/README.md`);
  const guides = readdirSync(join(root, 'docs/guides')).map((name) => `docs/guides/${name}`);
  return [
    'README.md',
    'CONTRIBUTING.md',
    ...inside('packages'),
    ...inside('docs/examples'),
    ...guides,
  ]
    .filter((page) => page.endsWith('.md') && existsSync(join(root, page)))
    .sort();
}

/** A page without its code. */
function prose(text: string): string {
  return text.replace(/^ *```.*\n[\s\S]*?^ *```$/gm, '').replace(/`[^`\n]*`/g, '');
}

/** Anchors of the headings, as GitHub and typedoc make them. */
function anchors(text: string): Set<string> {
  const seen = new Map<string, number>();
  const found = text.replace(/^ *```.*\n[\s\S]*?^ *```$/gm, '').matchAll(/^#{1,6} +(.*)$/gm);
  const slugs = [...found].map(([, heading = '']) => {
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = words
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
    const n = seen.get(slug) ?? 0;
    seen.set(slug, n + 1);
    return n === 0 ? slug : `${slug}-${n}`;
  });
  return new Set(slugs);
}

/** What is wrong with the links of a page. */
function problems(page: string, text: string): string[] {
  const body = prose(text);
  const targets = [
    ...body.matchAll(/(!?)\[([^\]]*)\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g),
  ].map(([, image, label = '', target = '']) => ({ image: image === '!', label, target }));
  for (const [, target = ''] of body.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm))
    targets.push({ image: false, label: 'x', target });
  for (const [, target = ''] of body.matchAll(/<img[^>]*\ssrc="([^"]+)"/g))
    targets.push({ image: true, label: 'x', target });
  return targets.flatMap(({ image, label, target }) => {
    if (/^[a-z]+:/i.test(target)) return [];
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : relative(root, join(root, dirname(page), path));
    const say = (what: string): string[] => [`${page}: ${target}: ${what}`];
    if (file !== page && !existsSync(join(root, file))) return say('there is no such file');
    if (image && label.trim() === '') return say('the picture has no description');
    if (file.endsWith('.svg') && !readFileSync(join(root, file), 'utf8').includes('<title'))
      return say('the drawing has no title');
    if (anchor === undefined || !file.endsWith('.md')) return [];
    const there = file === page ? text : readFileSync(join(root, file), 'utf8');
    return anchors(there).has(anchor) ? [] : say(`no heading #${anchor}`);
  });
}

describe('links', () => {
  it.each(pages())('%s', (page) => {
    expect(problems(page, readFileSync(join(root, page), 'utf8'))).toEqual([]);
  });

  it('finds what is wrong', () => {
    const page = [
      '# A page & more',
      '[x](missing.md) [y](#nowhere) [z](#a-page--more) ![](loretta.svg) ![d](gone.png)',
      '[w](index.md#guides) [v](index.md#no-such) [web](https://example.org) `[code](missing.md)`',
      '[ref]: other-missing.md',
      '<img alt="i" src="lost.svg">',
      '```sh\n[not](a-link.md)\n```',
    ].join('\n');
    expect(problems('docs/guides/page.md', page).map((line) => line.split(': ')[1])).toEqual([
      'missing.md',
      '#nowhere',
      'loretta.svg',
      'gone.png',
      'index.md#no-such',
      'other-missing.md',
      'lost.svg',
    ]);
  });

  it('the index lists every guide, in its menu and on its page', () => {
    const index = readFileSync(join(root, 'docs/guides/index.md'), 'utf8');
    const [, menu = '', body = ''] = index.split(/^---$/m);
    const guides = readdirSync(join(root, 'docs/guides')).filter(
      (name) => name.endsWith('.md') && name !== 'index.md',
    );
    expect(guides.filter((name) => !menu.includes(`- ./${name}\n`))).toEqual([]);
    expect(guides.filter((name) => !body.includes(`(./${name})`))).toEqual([]);
  });
});

describe('reliability', () => {
  /** Rows `| promise | title of the test | file |`. */
  const rows = readFileSync(join(root, 'docs/guides/reliability.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\| .* \| `[^`]+` \|$/.test(line))
    .map((line) => line.slice(2, -2).split(' | '))
    .map(([promise = '', title = '', file = '']) => ({ promise, title, file: file.slice(1, -1) }));

  it('promises something', () => {
    expect(rows.length).toBeGreaterThan(30);
  });

  it.each(rows)('$promise: there is such a test', ({ title, file }) => {
    expect(title).not.toBe('');
    expect(readFileSync(join(root, file), 'utf8')).toContain(title);
  });
});

describe('excerpts', () => {
  /** Blocks that begin with `// path`: parts of a file. */
  const excerpts = pages().flatMap((page) =>
    [
      ...readFileSync(join(root, page), 'utf8').matchAll(
        /^```typescript\n\/\/ (\S+)\n([\s\S]*?)^```$/gm,
      ),
    ].map(([, file = '', code = '']) => ({ page, file, code })),
  );

  it('there are some', () => {
    expect(excerpts.length).toBeGreaterThan(5);
  });

  it.each(excerpts)('$page shows $file as it is', ({ file, code }) => {
    expect(readFileSync(join(root, file), 'utf8')).toContain(code);
  });

  it('no other block escapes the tests', () => {
    const loose = pages().flatMap((page) =>
      [
        ...readFileSync(join(root, page), 'utf8').matchAll(
          /^```(?:typescript|js|javascript|tsx)\n(.*)/gm,
        ),
      ]
        .filter(([, first = '']) => !/^\/\/ \S+$/.test(first))
        .map(([block]) => `${page}: ${block}`),
    );
    expect(loose).toEqual([]);
  });
});
