/** Hugging Face folders: `config.json` to a decoder's configuration, and weights to its names and back. */
import { type FloatDType, ValueError } from '@loretta-ts/core';
import {
  type DecoderConfig,
  type ResolvedDecoderConfig,
  resolveDecoderConfig,
} from '../decoder/config';
import { CheckpointError } from '../errors';
import type { HostTensor } from '../host';
import {
  boundLayers,
  fileTensor,
  fitted,
  type HfEntry,
  type HfFormat,
  ownTensors,
  requireField,
  type TensorInfo,
} from './hf-format';
import { gpt2 } from './hf-gpt2';
import { llama, mistral } from './hf-llama';
import { mamba } from './hf-mamba';
import { Fields, short } from './json-fields';

/** Families of `config.json` (`model_type`) that a `Decoder` can be. */
export type HfFamily = 'llama' | 'mistral' | 'gpt2' | 'mamba';

const FORMATS: Readonly<Record<HfFamily, HfFormat>> = { llama, mistral, gpt2, mamba };

/**
 * The decoder's configuration for a parsed `config.json` of Llama, Mistral, GPT-2 or Mamba.
 * @throws CheckpointError that names the key that is missing, wrong or not supported
 */
export function decoderConfigFromHf(
  json: unknown,
  options: { readonly dtype?: FloatDType } = {},
): DecoderConfig {
  return read(json, options.dtype).config;
}

/**
 * The `config.json` of a decoder, and the family that it is; `architectures`, `model_type` and the sizes. What only
 * training needs (`embeddingStd`; `dropout` but for GPT-2) is left out.
 * @throws CheckpointError that names the field that no family can say
 */
export function decoderConfigToHf(config: DecoderConfig): {
  /** Which family it is. */
  readonly family: HfFamily;
  /** The content of the file. */
  readonly json: Readonly<Record<string, unknown>>;
} {
  const resolved = resolveDecoderConfig(config);
  const [family, format] = formatFor(resolved);
  requireField(format, resolved, 'latent', null);
  return {
    family,
    json: {
      architectures: [format.architecture],
      model_type: family,
      ...format.configToHf(resolved),
    },
  };
}

/**
 * Weights under Hugging Face's names, as a `Decoder` of that configuration has them. Buffers and tied copies are
 * dropped.
 * @throws CheckpointError that lists missing, unexpected and misshapen names
 */
export function fromHfTensors(
  json: unknown,
  tensors: ReadonlyMap<string, HostTensor>,
): Map<string, HostTensor> {
  const { format, config } = read(json);
  const found = fitted(format, config, tensors);
  return new Map(format.layout(config).flatMap((e) => ownTensors(e, found.get(e.name)!)));
}

/** The inverse of `fromHfTensors`: a decoder's weights, or their gradients, under Hugging Face's names. */
export function toHfTensors(
  json: unknown,
  tensors: ReadonlyMap<string, HostTensor>,
): Map<string, HostTensor> {
  const { format, config } = read(json);
  boundLayers(config, tensors.size);
  return new Map(format.layout(config).map((e) => [e.name, fileTensor(e, tensors)]));
}

/** What `fromHfTensors` would refuse, seen from the headers of the files alone. @throws CheckpointError */
export function checkHfTensors(json: unknown, tensors: ReadonlyMap<string, TensorInfo>): void {
  const { format, config } = read(json);
  fitted(format, config, tensors);
}

/** The state dict of a decoder as Hugging Face has it, tensor by tensor. */
export function hfLayout(config: ResolvedDecoderConfig): readonly HfEntry[] {
  return formatFor(config)[1].layout(config);
}

function read(
  json: unknown,
  dtype: FloatDType = 'f32',
): { readonly format: HfFormat; readonly config: ResolvedDecoderConfig } {
  const c = new Fields(json);
  const family = c.string('model_type', '');
  if (!Object.hasOwn(FORMATS, family)) {
    throw new CheckpointError(
      `config.json: model_type '${short(family)}' is not supported: it must be ${Object.keys(FORMATS).join(', ')}`,
    );
  }
  if (c.nested('quantization_config') !== null)
    c.fail('quantization_config', 'is there: quantized weights are not supported');
  const format: HfFormat = FORMATS[family as HfFamily];
  try {
    return { format, config: resolveDecoderConfig({ ...format.configFromHf(c), dtype }) };
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new CheckpointError(`config.json: ${error.message.replace(/^Decoder: /, '')}`);
  }
}

function formatFor(config: ResolvedDecoderConfig): [HfFamily, HfFormat] {
  const { mixer, mlp } = config;
  const all = Object.entries(FORMATS) as [HfFamily, HfFormat][];
  const found = all.find(([, format]) => format.suits(config));
  if (found !== undefined) return found;
  throw new CheckpointError(
    `mixer is '${mixer}' with mlp '${mlp}', which no model type of Hugging Face here has: keep this model with saveCheckpoint`,
  );
}
