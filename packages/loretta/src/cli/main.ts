/** The program `loretta`. */
import { runCli } from './run';

const code = await runCli(process.argv.slice(2));
// a failure ends what is still running, workers too
if (code !== 0) process.exit(code);
