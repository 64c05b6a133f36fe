/** The backend that runs; the page describes the rest. */
export function getBackend(): string;
