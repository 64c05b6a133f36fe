/** Lifetimes: scopes, tidy, views, and that nothing leaks when something throws. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  add,
  type Backend,
  DisposedError,
  exp,
  keep,
  mul,
  scope,
  setBackend,
  ShapeError,
  sum,
  tensor,
  type Tensor,
  tidy,
  valueAndGrad,
} from '../src';

let backend: Backend;
const live = (): number => backend.memory().buffers;

beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

describe('tidy', () => {
  it('frees everything but what is returned', () => {
    const x = tensor([1, 2, 3]);
    const before = live();
    const y = tidy(() => add(exp(x), mul(x, 2)));
    expect(live()).toBe(before + 1);
    y.dispose();
    expect(live()).toBe(before);
  });

  it('finds tensors in arrays, plain objects and maps', () => {
    const before = live();
    const made = tidy(() => {
      tensor([0]);
      return { list: [tensor([1]), [tensor([2])]], map: new Map([['a', tensor([3])]]), n: 1 };
    });
    expect(live()).toBe(before + 3);
    expect(made.n).toBe(1);
    expect([...made.map.get('a')!.dataSync()]).toEqual([3]);
  });

  it('frees everything when the function throws', () => {
    const x = tensor([1, 2, 3]);
    const before = live();
    expect(() => tidy(() => add(exp(x), tensor([1, 2])))).toThrow(ShapeError);
    expect(live()).toBe(before);
  });

  it('hands on to the scope around it', () => {
    const before = live();
    tidy(() => {
      const inner = tidy(() => exp(tensor([1, 2])));
      expect(inner.disposed).toBe(false);
      return 0;
    });
    expect(live()).toBe(before);
  });

  it('finds tensors in objects without a prototype, and not inside of classes', () => {
    const bare = tidy(() => Object.assign(Object.create(null) as object, { x: tensor([1]) }));
    expect((bare as { x: Tensor }).x.toArraySync()).toEqual([1]);
    class Holder {
      readonly x = tensor([1]);
    }
    expect(tidy(() => new Holder()).x.disposed).toBe(true);
  });

  it('leaves what it returns but did not make to whom it belongs', () => {
    const x = tensor([1, 2]);
    using s = scope();
    expect(s.run(() => tidy(() => [x, tensor([3])]))).toHaveLength(2);
    expect(s.size).toBe(1);
    s.dispose();
    expect(x.disposed).toBe(false);
  });

  it('does not free what was made before it', () => {
    const x = tensor([1, 2]);
    expect(tidy(() => x)).toBe(x);
    expect(x.disposed).toBe(false);
  });

  it('refuses an asynchronous function, and frees what that made', () => {
    const before = live();
    const asynchronous = async (): Promise<Tensor> => tensor([1]);
    expect(() => tidy(asynchronous)).toThrow(TypeError);
    expect(live()).toBe(before);
  });

  it('lets keep() take a tensor out', () => {
    const before = live();
    let kept: Tensor | null = null;
    tidy(() => {
      kept = keep(tensor([1]));
      tensor([2]);
      return null;
    });
    expect(live()).toBe(before + 1);
    kept!.dispose();
    expect(live()).toBe(before);
  });
});

describe('scope', () => {
  it('is a value: it runs again after an await, and using frees it', async () => {
    const before = live();
    {
      using s = scope();
      const x = s.run(() => tensor([1, 2]));
      const first = await s.run(() => exp(x)).data();
      const y = s.run(() => add(x, x));
      expect([...(await y.data())]).toEqual([2, 4]);
      expect(first).toHaveLength(2);
      expect(s.size).toBe(3);
    }
    expect(live()).toBe(before);
  });

  it('does not own what runs between its runs', async () => {
    using s = scope();
    s.run(() => tensor([1]));
    await Promise.resolve();
    const own = tensor([2]);
    s.dispose();
    expect(own.disposed).toBe(false);
  });

  it('keeps two interleaved tasks apart', async () => {
    const before = live();
    const task = async (value: number): Promise<number> => {
      using s = scope();
      const x = s.run(() => tensor([value]));
      await Promise.resolve();
      const y = s.run(() => mul(x, 10));
      await Promise.resolve();
      return await y.item();
    };
    expect(await Promise.all([task(1), task(2), task(3)])).toEqual([10, 20, 30]);
    expect(live()).toBe(before);
  });

  it('forgets a tensor that was disposed of by hand', () => {
    const s = scope();
    s.run(() => tensor([1]).dispose());
    expect(s.size).toBe(0);
    s.dispose();
  });
});

describe('views', () => {
  it('share memory, which lives as long as the last of them', () => {
    const before = live();
    const x = tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] });
    const row = x.select(0, 1);
    const flat = x.flatten();
    expect(live()).toBe(before + 1);
    x.dispose();
    flat.dispose();
    expect([...row.dataSync()]).toEqual([3, 4]);
    row.dispose();
    expect(live()).toBe(before);
  });

  it('disposing twice is once', () => {
    const x = tensor([1, 2]);
    const view = x.reshape(2, 1);
    x.dispose();
    x.dispose();
    expect([...view.dataSync()]).toEqual([1, 2]);
  });
});

describe('a disposed tensor', () => {
  it('throws where it is used, with the op and the way out', async () => {
    const x = tensor([1, 2]);
    x.dispose();
    expect(x.disposed).toBe(true);
    expect(String(x)).toBe('f32[2] (disposed)');
    expect(() => exp(x)).toThrow(DisposedError);
    expect(() => exp(x)).toThrow(/exp: the tensor f32\[2\] was disposed: keep\(\) it/);
    await expect(x.data()).rejects.toThrow(DisposedError);
    expect(() => x.dataSync()).toThrow(DisposedError);
    expect(() => valueAndGrad([x], () => sum(x))).toThrow(DisposedError);
  });
});

describe('valueAndGrad', () => {
  it('frees what the function makes, but the loss, the gradients and aux', () => {
    const x = tensor([1, 2, 3]);
    const before = live();
    const { value, grads, aux } = valueAndGrad([x], () => {
      const y = exp(x);
      mul(y, 3);
      return [sum(y), { y }] as const;
    });
    expect(live()).toBe(before + 3);
    expect(aux.y.disposed).toBe(false);
    value.dispose();
    aux.y.dispose();
    grads.dispose();
    expect(live()).toBe(before);
  });

  it('leaves nothing when the function throws, or its loss is no scalar', () => {
    const x = tensor([1, 2, 3]);
    const before = live();
    expect(() => valueAndGrad([x], () => sum(add(exp(x), tensor([1, 2]))))).toThrow(ShapeError);
    expect(() => valueAndGrad([x], () => exp(x))).toThrow(ShapeError);
    expect(live()).toBe(before);
  });
});

describe('numbers as operands', () => {
  it('live where the tensor lives', () => {
    const [here, there] = [referenceBackend(), referenceBackend()];
    setBackend(here);
    const x = tensor([1, 2], { backend: there });
    const y = x.add(1);
    expect([...y.dataSync()]).toEqual([2, 3]);
    expect(y.backend).toBe(there);
    x.dispose();
    y.dispose();
    expect([here.memory().buffers, there.memory().buffers]).toEqual([0, 0]);
  });
});
