/**
 * Faster texture reads for the GL modes. gpu.js finds a texel by two integer divisions, which shaders do slowly; a float
 * division with a correction finds the same one.
 */
import type { GpuMode } from './gpu-js';

/** Row and column of element x < 2^24 in a texture, exact. Without branches: lanes of a shader wait for each other in them. */
const place = `vec2 lorettaPlace(int x, ivec2 size) {
  int row = int((float(x) + 0.5) / float(size.x));
  int column = x - row * size.x;
  int over = int(column >= size.x) - int(column < 0);
  return (vec2(column - over * size.x, row + over) + 0.5) / vec2(size);
}
`;

const parameters = '(sampler2D tex, ivec2 size, ivec3 dimensions, int z, int y, int x)';

/** From here on the shader's own calls are to the new functions. */
const native = (read: string): string => `${place}float lorettaFloat${parameters} {
  return ${read}(tex, lorettaPlace(x, size)).r;
}
vec4 lorettaVec4${parameters} {
  return ${read}(tex, (vec2(x, y) + 0.5) / vec2(size));
}
#define getFloatFromSampler2D lorettaFloat
#define getVec4FromSampler2D lorettaVec4
`;

/** Settings of a kernel that bring the source in. */
export function nativeSettings(mode: GpuMode): { readonly injectedNative?: string } {
  if (mode === 'webgl2') return { injectedNative: native('texture') };
  return mode === 'webgl' || mode === 'headlessgl' ? { injectedNative: native('texture2D') } : {};
}
