// TensorFlow.js for a page: with its WebGL backend.
export * from '@tensorflow/tfjs';
