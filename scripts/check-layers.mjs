// Source rules that types and lint do not cover: who may import whom, where Node may be used,
// no module state, no ambient randomness, no file that outgrew one job.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const maxLines = 400;

/** For each package, the packages of ours that its sources may import. */
const layers = {
  core: [],
  'backend-cpu': ['core'],
  'backend-gpu': ['core'],
  nn: ['core'],
  tokenizers: [],
  loretta: ['core', 'nn', 'tokenizers', 'backend-cpu'],
};
/** The only place of loretta that names a backend: one file of its Node edge. */
const backendEdge = /^loretta\/src\/(cli|node)\//;
/** Files that run in Node only. Backends start worker threads and drivers from `node` files too. */
const nodeOnly = /^[^/]+\/src\/((.*\/)?(node|cli)\/|(.*\/)?([^/]*Node|node)\.ts$)/;
const moduleState = new Set(['core/src/runtime.ts']);
const builtins = new Set(builtinModules);

const problems = [];
const backendImporters = new Set();

for (const [name, allowed] of Object.entries(layers)) {
  const src = join(root, 'packages', name, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' });
  for (const entry of files.sort()) {
    if (!entry.endsWith('.ts') || entry.endsWith('.d.ts')) continue;
    const file = join(src, entry);
    const id = relative(join(root, 'packages'), file).split(sep).join('/');
    checkFile(name, allowed, src, file, id);
  }
}
if (backendImporters.size > 1) {
  problems.push(
    `more than one file of loretta imports a backend: ${[...backendImporters].join(', ')}`,
  );
}
if (/https?:\/\/|tarball:/.test(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8'))) {
  problems.push('pnpm-lock.yaml names a registry');
}
for (const problem of problems) console.error(problem);
console.log(`layers: ${problems.length} problem(s)`);
process.exitCode = problems.length ? 1 : 0;

function checkFile(name, allowed, src, file, id) {
  const text = readFileSync(file, 'utf8');
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const report = (node, what) => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
    problems.push(`packages/${id}:${line + 1}: ${what}`);
  };
  const checkImport = (node, to) => {
    if (to.startsWith('.')) {
      const target = resolve(dirname(file), to);
      if (target !== src && !target.startsWith(src + sep)) report(node, `${to} leaves the package`);
    } else if (to.startsWith('@loretta-ts/')) {
      const [, other = '', ...deep] = to.split('/');
      const edge = name === 'loretta' && other.startsWith('backend-');
      if (edge) backendImporters.add(id);
      if (!allowed.includes(other)) report(node, `${name} may not import ${to}`);
      else if (edge && !backendEdge.test(id)) report(node, 'only the Node edge names a backend');
      if (deep.includes('src') || deep.includes('dist'))
        report(node, `${to} reaches into a package`);
      if (deep[0] === 'node' && !nodeOnly.test(id)) report(node, `${to} outside the Node files`);
    } else if ((to.startsWith('node:') || builtins.has(to)) && !nodeOnly.test(id)) {
      report(node, `${to} outside the Node files (node.ts, node/, cli/, *Node.ts)`);
    }
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier) checkImport(node, node.moduleSpecifier.text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [to] = node.arguments;
      if (to && ts.isStringLiteralLike(to)) checkImport(node, to.text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      checkImport(node, node.argument.literal.text);
    } else if (ts.isPropertyAccessExpression(node) && node.getText(tree) === 'Math.random') {
      report(node, 'Math.random: take a random key');
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  if (!moduleState.has(id)) {
    for (const statement of tree.statements) {
      if (!ts.isVariableStatement(statement)) continue;
      const { flags } = statement.declarationList;
      if (!(flags & ts.NodeFlags.BlockScoped) || flags & ts.NodeFlags.Let) {
        report(statement, 'module-level let or var: pass it as a value');
      }
    }
  }
  for (const word of text.matchAll(/\b(TODO|FIXME|XXX)\b/g))
    problems.push(`packages/${id}: ${word[0]}`);
  const lines = text.split('\n').length - 1;
  if (lines > maxLines && !id.endsWith('.generated.ts')) {
    problems.push(`packages/${id}: ${lines} lines, at most ${maxLines}`);
  }
}
