/** Small vocabularies in the file formats of others. */
import type { BpeTokenizer } from '@loretta-ts/tokenizers';

const bytes = Array.from(
  { length: 256 },
  (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`,
);
const PIECES = ['▁', 'a', 'b', 't', 'h', 'e', '▁t', 'he', '▁the', 'aa', 'aaaa', '▁▁', '▁▁▁▁'];
const fallbackVocab = ['<unk>', '<s>', ...bytes, ...PIECES];

/** A tokenizer.json as Llama has it. */
export const fallbackJson = {
  version: '1.0',
  added_tokens: [{ id: 0, content: '<unk>', special: true }],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    fuse_unk: true,
    byte_fallback: true,
    vocab: Object.fromEntries(fallbackVocab.map((token, id) => [token, id])),
    merges: ['▁ t', 'h e', '▁t he', 'a a', 'aa aa', '▁ ▁', '▁▁ ▁▁'],
  },
};

/** The tokenizer.bin of llama2.c with the same pieces; runs of one letter merge again and again. */
export function llama2cTokenizer(): Uint8Array {
  const tokens = ['<unk>', '\n<s>\n', '\n</s>\n', ...bytes, ...PIECES, '🙂', '🙂🙂'];
  const encoder = new TextEncoder();
  const parts = tokens.map((token, id) => {
    const text = encoder.encode(token.replaceAll('▁', ' '));
    const head = Buffer.alloc(8);
    head.writeFloatLE(-id, 0);
    head.writeInt32LE(text.length, 4);
    return Buffer.concat([head, text]);
  });
  return new Uint8Array(Buffer.concat([Uint8Array.of(27, 0, 0, 0), ...parts]));
}

/** GPT-2's two files of a tokenizer: vocab.json and merges.txt. */
export function gpt2Files(tokenizer: BpeTokenizer): { vocab: object; merges: string } {
  const lines = tokenizer.merges.map((pair) => pair.join(' '));
  return {
    vocab: tokenizer.toJSON().model.vocab,
    merges: ['#version: 0.2', ...lines, ''].join('\n'),
  };
}
