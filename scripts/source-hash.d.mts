export function sourceHash(root: string, places: readonly string[]): string;
