export function usageOf(command: string): string;
