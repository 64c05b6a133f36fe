/** The commands of docs/examples, with very few steps: each prints what its README says, and refuses what is wrong. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the commands', () => {
  const example = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['scripts/run.mjs', 'example', ...args], { cwd: root });

  it.each([
    ['backend', /0 buffers are left/],
    ['char-gpt', /held out\n.*\n[\s\S]*The model /],
    ['mnist', /right on \d+\.\d % of the test digits/],
    ['sensor-text', /from words to the sensor\n {2}[▁-█]{16} /],
  ])('%s prints', async (name, wanted) => {
    const { stdout, stderr } = await example(name, '--steps', '5');
    expect(stdout).toMatch(wanted);
    expect(stderr).toBe('');
  });

  it('finetune-stories says what is missing', async () => {
    await expect(example('finetune-stories', '--model', 'nowhere')).rejects.toMatchObject({
      code: 1,
      stderr: 'checkpoint: nowhere: there is no such folder: check the path\n',
    });
  });

  it('a number of steps that is none is refused in one line', async () => {
    await expect(example('backend', '--steps', 'many')).rejects.toMatchObject({ code: 2 });
  });

  it('an unknown example is refused with the names of those that are there', async () => {
    await expect(example('nothing')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/backend\|char-gpt.*sensor-text/) as string,
    });
  });
});
