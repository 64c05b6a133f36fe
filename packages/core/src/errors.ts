/** Typed errors. Messages read `op: what, with shapes: the way out`; tests match class and fields. */

export class ShapeError extends Error {
  override readonly name = 'ShapeError';
  readonly op: string;
  readonly shapes: readonly (readonly number[])[];
  constructor(op: string, message: string, shapes: readonly (readonly number[])[] = []) {
    super(`${op}: ${message}`);
    this.op = op;
    this.shapes = shapes;
  }
}

export class DTypeError extends Error {
  override readonly name = 'DTypeError';
  readonly op: string;
  readonly dtypes: readonly string[];
  constructor(op: string, message: string, dtypes: readonly string[] = []) {
    super(`${op}: ${message}`);
    this.op = op;
    this.dtypes = dtypes;
  }
}

/** A value outside its domain: an index, a probability, an attribute. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
  readonly op: string;
  constructor(op: string, message: string) {
    super(`${op}: ${message}`);
    this.op = op;
  }
}

/** The backend is missing, lost, out of memory, or cannot do what was asked. */
export class BackendError extends Error {
  override readonly name = 'BackendError';
  readonly backend: string;
  constructor(backend: string, message: string) {
    super(`${backend}: ${message}`);
    this.backend = backend;
  }
}

/** A tensor was used after its memory was given back. */
export class DisposedError extends Error {
  override readonly name = 'DisposedError';
  readonly op: string;
  constructor(op: string, message: string) {
    super(`${op}: ${message}`);
    this.op = op;
  }
}

/** Something that a captured function may not do: read a value, change its shapes. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  constructor(message: string) {
    super(`capture: ${message}`);
  }
}

/** A NaN or an infinity where training must stop. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError';
  readonly where: string;
  constructor(where: string, message: string) {
    super(`${where}: ${message}`);
    this.where = where;
  }
}
