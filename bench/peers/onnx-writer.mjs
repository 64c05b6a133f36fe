// As much of the ONNX format (protocol buffers) as a decoder needs.
function varint(value) {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes = [];
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest ? low | 128 : low);
  } while (rest);
  return Buffer.from(bytes);
}

const tag = (field, wire) => varint((field << 3) | wire);
const int = (field, value) => Buffer.concat([tag(field, 0), varint(value)]);
const text = (field, value) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([tag(field, 2), varint(bytes.length), bytes]);
};
const message = (field, parts) => text(field, Buffer.concat(parts));

function attribute(name, value) {
  if (typeof value === 'string') return message(5, [text(1, name), text(4, value), int(20, 3)]);
  if (Array.isArray(value)) {
    return message(5, [text(1, name), ...value.map((v) => int(8, v)), int(20, 7)]);
  }
  return message(5, [text(1, name), int(3, value), int(20, 2)]);
}

export const FLOAT = 1;
export const INT64 = 7;

export function node(op, inputs, outputs, attributes = {}) {
  return message(1, [
    ...inputs.map((x) => text(1, x)),
    ...outputs.map((x) => text(2, x)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  ]);
}

export function constant(name, shape, data) {
  const type = data instanceof Float32Array ? FLOAT : INT64;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return message(5, [...shape.map((d) => int(1, d)), int(2, type), text(8, name), text(9, bytes)]);
}

function port(field, [name, type, shape]) {
  const dims = shape.map((d) => message(1, [typeof d === 'string' ? text(2, d) : int(1, d)]));
  return message(field, [
    text(1, name),
    message(2, [message(1, [int(1, type), message(2, dims)])]),
  ]);
}

export function model(nodes, constants, inputs, outputs) {
  const graph = [
    ...nodes,
    text(2, 'g'),
    ...constants,
    ...inputs.map((x) => port(11, x)),
    ...outputs.map((x) => port(12, x)),
  ];
  return Buffer.concat([int(1, 9), message(8, [text(1, ''), int(2, 20)]), message(7, graph)]);
}
