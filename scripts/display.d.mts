export function startDisplay(): Promise<(() => void) | null>;
