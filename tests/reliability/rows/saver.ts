/** The child of the checkpoints row: saves one version after another to the path given, until it is killed. */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const [kind = '', path = '', moment = '', at = '', first = '', bytes = ''] = process.argv.slice(2);
let calls = 0;
/** At the chosen call of the chosen step the process dies before, or after half of it. */
const due = (step: string): boolean => step === moment && calls++ === Number(at);
const die = (): void => {
  process.kill(process.pid, 'SIGKILL');
};

const { open, rename } = fs;
fs.rename = async (from, to) => {
  if (due('rename')) die();
  await rename(from, to);
  if (due('renamed')) die();
};
fs.open = async (...args: Parameters<typeof open>) => {
  const file = await open(...args);
  const write = file.writeFile.bind(file);
  const sync = file.sync.bind(file);
  file.writeFile = async (data, options) => {
    if (due('write')) {
      const whole = Buffer.from(data as Uint8Array);
      await file.write(whole.subarray(0, whole.length / 2));
      die();
    }
    await write(data, options);
  };
  file.sync = async () => {
    if (due('fsync')) die();
    await sync();
  };
  return file;
};
syncBuiltinESMExports();

const { referenceBackend } = await import('@loretta-ts/backend-cpu');
const { setBackend } = await import('@loretta-ts/core');
const { saved } = await import('../versions');
setBackend(referenceBackend());
for (let version = Number(first); ; version++) {
  await saved[kind as keyof typeof saved].save(path, version, Number(bytes));
  // what is on the disk now must never be lost again
  process.stdout.write(`${version}\n`);
}
