export function gpuModes(): Promise<ReadonlyMap<string, string | null>>;
export function leftOut(modes: ReadonlyMap<string, string | null>): string[];
