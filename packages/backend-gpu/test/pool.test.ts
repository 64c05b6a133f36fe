import { describe, expect, it } from 'vitest';
import { Pool, poolBuffers, poolTextures } from '../src/pool';

const kind = (key: string, bytes: number) => ({ key, bytes });

describe('Pool', () => {
  it('gives storage to the next of its kind, and counts what had to be allocated', () => {
    const pool = new Pool(100);
    const [a, b] = [{}, {}];
    expect(pool.take(kind('a', 10))).toBe(null);
    pool.put(a, kind('a', 10), () => {});
    pool.put(b, kind('b', 10), () => {});
    expect(pool.take(kind('b', 10))).toBe(b);
    expect(pool.take(kind('b', 10))).toBe(null);
    expect(pool.take(kind('a', 10))).toBe(a);
    expect([pool.size, pool.allocated]).toEqual([0, 2]);
  });

  it('frees the kind that was not used for longest once it holds too much, and all at its end', () => {
    const pool = new Pool(25);
    const freed: string[] = [];
    const put = (key: string): void => pool.put({}, kind(key, 10), () => freed.push(key));
    put('a');
    put('b');
    pool.take(kind('a', 10));
    put('a');
    put('c');
    expect(freed).toEqual(['b']);
    pool.put({}, kind('large', 26), () => freed.push('large'));
    expect(freed).toEqual(['b', 'large']);
    pool.close();
    put('d');
    expect([...freed].sort()).toEqual(['a', 'b', 'c', 'd', 'large']);
    expect(pool.size).toBe(0);
  });
});

it('a texture from the pool keeps its size, and an upload into a new one is made', () => {
  const calls: string[] = [];
  const gl = {
    createTexture: () => ({ id: calls.push('create') }),
    deleteTexture: (_: object | null) => void calls.push('delete'),
    texImage2D: (...args: unknown[]) => void calls.push(`image ${args.length}`),
    texStorage2D: () => void calls.push('storage'),
  };
  const original = { ...gl };
  const pool = new Pool();
  const undo = poolTextures(gl, pool);
  pool.next = kind('4', 16);
  const first = gl.createTexture();
  gl.texStorage2D();
  gl.deleteTexture(first);
  expect(gl.createTexture()).toBe(first);
  (gl.texStorage2D as (...a: number[]) => void)(0, 1, 2, 3, 4);
  gl.texImage2D(0, 0, 0, 1, 1, 0, 0, 0, new Float32Array(4));
  pool.next = null;
  gl.deleteTexture(gl.createTexture());
  expect(calls).toEqual(['create', 'storage', 'image 9', 'create', 'delete']);
  undo();
  expect(gl).toEqual(original);
});

it('only buffers for results are pooled', () => {
  let made = 0;
  let destroyed = 0;
  const device = { createBuffer: () => ({ id: made++, destroy: () => void destroyed++ }) };
  const pool = new Pool();
  const undo = poolBuffers(device, pool);
  const create = device.createBuffer as (d: object) => { destroy(): void };
  const result = create({ size: 16, usage: 0x84 });
  result.destroy();
  expect(create({ size: 16, usage: 0x84 })).toBe(result);
  create({ size: 16, usage: 0x88 }).destroy();
  expect([made, destroyed]).toEqual([2, 1]);
  result.destroy();
  pool.close();
  expect(destroyed).toBe(2);
  undo();
});
