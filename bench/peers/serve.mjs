// The child's side of the line protocol: one request a line comes in, one answer a line goes out behind '@@'.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const answer = (message) => process.stdout.write(`@@${JSON.stringify(message)}\n`);

export async function serve(about, prepare) {
  let work = null;
  let reps = 1;
  const ops = {
    about: () => about,
    async prepare({ request, target }) {
      work = await prepare(request);
      const check = (await work.check?.()) ?? [];
      reps = await calibrate(work, target);
      return { reps, check: [...check] };
    },
    async run() {
      const cpu = process.cpuUsage();
      const start = performance.now();
      for (let i = 0; i < reps; i++) await work.run();
      const wall = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      const one = { wall: wall / reps, cpu: (user + system) / 1000 / reps };
      return { ...one, extra: (await work.after?.(one)) ?? {} };
    },
    end() {
      work?.free?.();
      work = null;
      return { rss: peakRss() };
    },
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    try {
      answer(await ops[message.op](message));
    } catch (error) {
      answer({ error: String(error?.message ?? error).split('\n')[0] });
    }
  }
  process.exit(0);
}

/** Warms up for as long as a sample takes, and finds how often the work fits into `target` ms. */
async function calibrate(work, target) {
  const start = performance.now();
  let reps = 1;
  for (;;) {
    const before = performance.now();
    for (let i = 0; i < reps; i++) await work.run();
    const now = performance.now();
    const one = (now - before) / reps;
    if (now - start > target) return Math.max(1, Math.round(target / one));
    reps *= 2;
  }
}

/** MiB; the most that was resident. */
function peakRss() {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}

export { pattern, patternIds } from './numbers.mjs';
