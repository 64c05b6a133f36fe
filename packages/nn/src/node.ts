/** Modules, decoders, sampling, optimisers and safetensors on @loretta-ts/core. */
export {};
