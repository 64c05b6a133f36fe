/** LoReTTa: linking modalities with a transitive and commutative multimodal Transformer. */
export {};
