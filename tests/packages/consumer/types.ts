import { cpu } from '@loretta-ts/backend-cpu';
import * as gpu from '@loretta-ts/backend-gpu';
import { grad, key, type Shape, setBackend, type Tensor, tensor } from '@loretta-ts/core';
import * as debug from '@loretta-ts/core/debug';
import * as testing from '@loretta-ts/core/testing';
import { ModalityGraph, Vocabulary } from '@loretta-ts/loretta';
import { checkpointPath } from '@loretta-ts/loretta/node';
import { Decoder, type DecoderConfig } from '@loretta-ts/nn';
import { saveCheckpoint } from '@loretta-ts/nn/node';
import { ByteTokenizer, type Tokenizer } from '@loretta-ts/tokenizers';

setBackend(cpu());
const x: Tensor = tensor([1, 2, 3]);
const slope: Tensor = grad((t: Tensor) => t.mul(t).sum())(x);
export const shape: Shape = slope.shape;

// Types that came out as `any` would take anything.
// @ts-expect-error a shape is no string
export const wrong: string = slope.shape;
// @ts-expect-error a decoder needs a configuration
export const noConfig: Decoder = new Decoder('small', key(1));

const config: DecoderConfig = { vocab: 8, dim: 16, layers: 1, heads: 2, maxLength: 8 };
export const model: Decoder = new Decoder(config, key(1));
export const tokenizer: Tokenizer<Uint8Array> = new ByteTokenizer();
// @ts-expect-error the pairs are missing
export const noPairs: ModalityGraph = new ModalityGraph(['a', 'b']);
export const run: string = checkpointPath('run', 'transitive');
export const others: object[] = [gpu, debug, testing, Vocabulary, saveCheckpoint];
