import { show, TokenizerError } from './errors';
import { field, type JsonObject, requireObject, stringField } from './untrusted';

/** When a ▁ goes before the text. */
export type MetaspacePrefix = 'always' | 'first' | 'never';

/**
 * How a tokenizer.json turns spaces into ▁: by the normaliser `Prepend ▁, Replace " " by ▁` (Llama 2, Mistral) or by
 * the pre-tokeniser `Metaspace` without splitting (newer files). Throws TokenizerError for anything else.
 */
export function metaspaceFromJson(where: string, root: JsonObject): MetaspacePrefix {
  const normalizer = field(root, 'normalizer') ?? null;
  const preTokenizer = field(root, 'pre_tokenizer') ?? null;
  if (preTokenizer !== null) {
    if (normalizer !== null) throw unsupported(where, 'both a normalizer and a pre_tokenizer');
    return fromPreTokenizer(where, requireObject(where, 'pre_tokenizer', preTokenizer));
  }
  return fromNormalizer(where, requireObject(where, 'normalizer', normalizer));
}

function fromPreTokenizer(where: string, object: JsonObject): MetaspacePrefix {
  if (stringField(where, object, 'type') !== 'Metaspace') {
    throw unsupported(where, `pre_tokenizer ${show(field(object, 'type'))}`);
  }
  if (field(object, 'replacement') !== '▁') throw unsupported(where, 'another replacement than ▁');
  if (field(object, 'split') !== false) throw unsupported(where, 'Metaspace that splits');
  const scheme = field(object, 'prepend_scheme') ?? 'always';
  if (scheme === 'always' || scheme === 'first' || scheme === 'never') return scheme;
  throw unsupported(where, `prepend_scheme ${show(scheme)}`);
}

function fromNormalizer(where: string, object: JsonObject): MetaspacePrefix {
  const list = field(object, 'type') === 'Sequence' ? field(object, 'normalizers') : [object];
  if (!Array.isArray(list)) throw unsupported(where, 'a Sequence without normalizers');
  let prefix: MetaspacePrefix = 'never';
  let replaces = false;
  for (const entry of list) {
    const step = requireObject(where, 'normalizer', entry);
    const type = stringField(where, step, 'type');
    if (type === 'Prepend' && field(step, 'prepend') === '▁' && !replaces) {
      prefix = 'always';
    } else if (type === 'Replace' && isSpacePattern(field(step, 'pattern'))) {
      if (field(step, 'content') !== '▁') throw unsupported(where, 'another replacement than ▁');
      replaces = true;
    } else {
      throw unsupported(where, `normalizer ${show(type)} as it is used here`);
    }
  }
  if (!replaces) throw unsupported(where, 'a normalizer that does not replace spaces');
  return prefix;
}

function isSpacePattern(pattern: unknown): boolean {
  if (typeof pattern !== 'object' || pattern === null) return false;
  return Object.hasOwn(pattern, 'String') && Reflect.get(pattern, 'String') === ' ';
}

function unsupported(where: string, what: string): TokenizerError {
  return new TokenizerError('format', where, `${what} is not supported`);
}
