import { type AddedToken, type AddedTokenJson, addedTokensToJson } from './addedTokens';

/** A component of a tokenizer.json that has nothing but its name. */
export interface ComponentJson<Type extends string> {
  /** Name of the component. */
  readonly type: Type;
}

/** A tokenizer in the form of Hugging Face's tokenizer.json. */
export interface TokenizerJson<Model, Normalizer, PreTokenizer, Decoder> {
  /** Version of the format. */
  readonly version: '1.0';
  /** Never truncates. */
  readonly truncation: null;
  /** Never pads. */
  readonly padding: null;
  /** Tokens that are matched in the raw text. */
  readonly added_tokens: readonly AddedTokenJson[];
  /** What happens to the text first. */
  readonly normalizer: Normalizer;
  /** How the text is cut into pieces for the model. */
  readonly pre_tokenizer: PreTokenizer;
  /** Adds no markers. */
  readonly post_processor: null;
  /** How tokens become text. */
  readonly decoder: Decoder;
  /** Vocabulary and algorithm. */
  readonly model: Model;
}

/** The four components that differ between tokenizers. */
export interface TokenizerComponents<Model, Normalizer, PreTokenizer, Decoder> {
  readonly added: readonly AddedToken[];
  readonly normalizer: Normalizer;
  readonly preTokenizer: PreTokenizer;
  readonly decoder: Decoder;
  readonly model: Model;
}

/** Puts a tokenizer.json together. */
export function tokenizerJson<Model, Normalizer, PreTokenizer, Decoder>(
  components: TokenizerComponents<Model, Normalizer, PreTokenizer, Decoder>,
): TokenizerJson<Model, Normalizer, PreTokenizer, Decoder> {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokensToJson(components.added),
    normalizer: components.normalizer,
    pre_tokenizer: components.preTokenizer,
    post_processor: null,
    decoder: components.decoder,
    model: components.model,
  };
}
