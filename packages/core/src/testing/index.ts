/** Tensors, ops, automatic differentiation and program capture of LoReTTa for TypeScript. */
export {};
