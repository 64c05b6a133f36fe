/** One mode in a process of its own: headless GL and Dawn do not share one. Requests come and answers go by IPC. */
import { cpu } from '@loretta-ts/backend-cpu';
import { type GpuMode, gpu } from '@loretta-ts/backend-gpu';
import { makeWork, timed, type WorkName } from './work';

const [contestant = ''] = process.argv.slice(2);
const backend =
  contestant === 'backend-cpu'
    ? cpu({ threads: 1 })
    : await gpu({ mode: contestant as GpuMode, require: true });

process.on('message', (request: { readonly name: WorkName; readonly budget: number } | null) => {
  void (async () => {
    if (request === null) {
      await backend.dispose();
      process.disconnect();
      return;
    }
    const work = makeWork(backend, request.name);
    const result = await timed(work, request.budget);
    work.free();
    process.send!(result);
  })();
});
process.send!({ device: backend.info().device, executor: backend.info().executor });
