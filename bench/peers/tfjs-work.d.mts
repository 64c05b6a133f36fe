/** By subject; only what the page of the GPU benchmark asks for. */
export function tfjsSubjects(tf: object): {
  train(request: object): { run(): number };
  generate(request: object): { run(): number[] };
};
