// node --conditions=loretta-source --import ./scripts/ts-loader.mjs FILE.ts runs TypeScript sources.
import { register } from 'node:module';

register('./ts-hooks.mjs', import.meta.url);
