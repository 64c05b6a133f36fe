/**
 * NumPy's `.npy`, read strictly and bounded (format versions 1.0 to 3.0, `numpy.lib.format`): a magic string, the length
 * of a header, a Python literal with `descr`, `fortran_order` and `shape`, then the elements. The header is parsed, never
 * evaluated; nothing is allocated for what it claims before the file is known to hold it.
 */
import { sizeOf, stridesOf } from '@loretta-ts/core';
import { NpyError } from '../errors';
import type { FileDType, HostTensor } from '../host';
import { decodeElements, ELEMENT_BYTES, narrowElements, plainBytes } from './elements';
import { parseNpyHeader } from './npy-header';

const MAGIC = [0x93, ...new TextEncoder().encode('NUMPY')];
/** Longest header; that of numbers has about 100 bytes. */
const MAX_HEADER_BYTES = 65_535;
/** Axes that NumPy allows. */
const MAX_RANK = 64;
/** The data begin at a multiple of it. */
const ALIGNMENT = 64;
/** Room that NumPy leaves in the header for the first axis to grow to so many digits. */
const GROWTH_DIGITS = 21;

/** What `descr` says behind its byte order. */
const DTYPES: ReadonlyMap<string, FileDType> = new Map<string, FileDType>([
  ['f8', 'F64'],
  ['f4', 'F32'],
  ['f2', 'F16'],
  ['i8', 'I64'],
  ['i4', 'I32'],
  ['i2', 'I16'],
  ['i1', 'I8'],
  ['u8', 'U64'],
  ['u4', 'U32'],
  ['u2', 'U16'],
  ['u1', 'U8'],
  ['b1', 'BOOL'],
]);

/** Kinds of elements that are not numbers of ours, by the letter of `descr`. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['O', 'Python objects, which are pickled: a pickle can run any code, and is never read'],
  ['c', 'complex numbers: save their real and imaginary parts'],
  ['S', 'byte strings'],
  ['U', 'strings'],
  ['V', 'raw bytes (bfloat16 too is written so): save float32'],
  ['M', 'dates'],
  ['m', 'time spans'],
]);

/**
 * The array of a file, row-major whatever the file has; F16 is widened. Of bools, every byte but 0 is 1.
 * @throws NpyError, in one line, for every defect, and for elements that are not numbers or bools
 */
export function parseNpy(file: Uint8Array): HostTensor {
  const bytes = plainBytes(file);
  const { text, end } = headerOf(bytes);
  const { descr, fortranOrder, shape } = parseNpyHeader(text);
  const { dtype, big } = elementOf(descr);
  const width = ELEMENT_BYTES.get(dtype)!;
  if (shape.length > MAX_RANK) fail(`the shape has ${shape.length} axes, more than ${MAX_RANK}`);
  // dims of 0 apart, so that they do not hide an overflow
  const extent = shape.reduce((n, d) => n * Math.max(d, 1), width);
  const wanted = shape.includes(0) ? 0 : extent;
  const there = bytes.length - end;
  if (!Number.isSafeInteger(extent) || wanted !== there) {
    const shown = shape.slice(0, 8).join(', ');
    fail(
      `${descr} of shape (${shown}) needs ${wanted} bytes, the file has ${there}: it is ${wanted > there ? 'cut off or damaged' : 'followed by something else'}`,
    );
  }
  const raw = bytes.slice(end); // a copy: offsets need not be aligned
  if (big) swapBytes(raw, width);
  const ordered = fortranOrder ? rowMajor(raw, shape, width) : raw;
  if (dtype === 'BOOL') ordered.set(ordered.map((x) => (x === 0 ? 0 : 1)));
  return { dtype, shape, data: decodeElements(dtype, ordered.buffer) };
}

/**
 * The bytes of a file of version 1.0, row-major and little-endian: those that `numpy.save` writes. Float data of an F16
 * tensor is rounded.
 * @throws NpyError for BF16, which NumPy does not have, and for data that do not fill the shape
 */
export function serializeNpy(tensor: HostTensor): Uint8Array {
  const { dtype, shape } = tensor;
  const code = [...DTYPES].find(([, name]) => name === dtype)?.[0];
  if (code === undefined) fail(`NumPy has no ${dtype}: cast to F32`);
  const data = narrowElements(tensor);
  const width = ELEMENT_BYTES.get(dtype)!;
  if (data.length !== sizeOf(shape) || data.BYTES_PER_ELEMENT !== width) {
    fail(
      `${data.length} values of ${data.BYTES_PER_ELEMENT} bytes are not ${dtype} [${shape.join(',')}]`,
    );
  }
  const axes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const order = width === 1 ? '|' : '<';
  const growth = shape.length === 0 ? 0 : GROWTH_DIGITS - String(shape[0]).length;
  const literal = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${axes}), }${' '.repeat(growth)}`;
  const before = MAGIC.length + 4;
  const start = Math.ceil((before + literal.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = `${literal.padEnd(start - before - 1)}\n`;
  const out = new Uint8Array(start + data.byteLength);
  out.set([...MAGIC, 1, 0, header.length & 0xff, header.length >> 8]);
  out.set(new TextEncoder().encode(header), before);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  return out;
}

function headerOf(bytes: Uint8Array): { readonly text: string; readonly end: number } {
  if (MAGIC.some((byte, i) => bytes[i] !== byte))
    fail(`it does not begin with '\\x93NUMPY': not an npy file`);
  const [major, minor] = [bytes[6], bytes[7]];
  if (major === undefined || minor === undefined) fail('it is cut off in its version');
  if (major < 1 || major > 3 || minor !== 0)
    fail(`version ${major}.${minor} of the format is unknown: 1.0, 2.0 and 3.0 are read`);
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) fail('it is cut off in the length of its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES)
    fail(
      `the header claims ${length} bytes, more than ${MAX_HEADER_BYTES}: not an array of numbers`,
    );
  const end = start + length;
  if (end > bytes.length)
    fail(`the header claims ${length} bytes, the file has ${bytes.length}: it is cut off`);
  try {
    const decoder = new TextDecoder(major === 3 ? 'utf-8' : 'latin1', { fatal: true });
    return { text: decoder.decode(bytes.subarray(start, end)), end };
  } catch {
    return fail('the header is not UTF-8');
  }
}

/** @throws NpyError */
function elementOf(descr: string): { readonly dtype: FileDType; readonly big: boolean } {
  const [, order, code] = /^([<>|])(.+)$/s.exec(descr) ?? [];
  const dtype = code === undefined ? undefined : DTYPES.get(code);
  const refused = REFUSED.get(/^[<>|]?(\w)(?:\d|\[|$)/.exec(descr)?.[1] ?? '');
  if (dtype === undefined) {
    const what = refused ?? `unknown: known are ${[...DTYPES.keys()].join(', ')}`;
    fail(`the elements are ${JSON.stringify(descr).slice(0, 40)}, ${what}`);
  }
  if (order === '|' && ELEMENT_BYTES.get(dtype)! > 1) fail(`${descr} does not say its byte order`);
  return { dtype, big: order === '>' };
}

function swapBytes(raw: Uint8Array, width: number): void {
  for (let at = 0; at < raw.length; at += width) raw.subarray(at, at + width).reverse();
}

/** Elements whose first axis moves fastest, in the order in which the last one does. */
function rowMajor(raw: Uint8Array, shape: readonly number[], width: number): Uint8Array {
  const out = new Uint8Array(raw.length);
  const strides = stridesOf([...shape].reverse()).reverse(); // of the file, in elements
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < raw.length; to += width) {
    out.set(raw.subarray(from * width, (from + 1) * width), to);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

function fail(message: string): never {
  throw new NpyError(message);
}
