/** Typed errors. Messages read `op: what, with shapes: the way out`; tests match class and fields. */

export class ShapeError extends Error {
  /** The class. */
  override readonly name = 'ShapeError';
  /** Op that was called. */
  readonly op: string;
  /** The shapes in question. */
  readonly shapes: readonly (readonly number[])[];
  constructor(op: string, message: string, shapes: readonly (readonly number[])[] = []) {
    super(`${op}: ${message}`);
    this.op = op;
    this.shapes = shapes;
  }
}

/** Element types that do not go together, or that an op does not take. */
export class DTypeError extends Error {
  /** The class. */
  override readonly name = 'DTypeError';
  /** Op that was called. */
  readonly op: string;
  /** The dtypes in question. */
  readonly dtypes: readonly string[];
  constructor(op: string, message: string, dtypes: readonly string[] = []) {
    super(`${op}: ${message}`);
    this.op = op;
    this.dtypes = dtypes;
  }
}

/** A value outside its domain: an index, a probability, an attribute. */
export class ValueError extends Error {
  /** The class. */
  override readonly name = 'ValueError';
  /** Op that was called. */
  readonly op: string;
  constructor(op: string, message: string) {
    super(`${op}: ${message}`);
    this.op = op;
  }
}

/** The backend is missing, lost, out of memory, or cannot do what was asked. */
export class BackendError extends Error {
  /** The class. */
  override readonly name = 'BackendError';
  /** Name of the backend. */
  readonly backend: string;
  /** What there was no memory for; null for any other reason. */
  readonly wanted: WantedMemory | null;
  constructor(backend: string, message: string, wanted: WantedMemory | null = null) {
    super(`${backend}: ${message}`);
    this.backend = backend;
    this.wanted = wanted;
  }
}

/** An array that did not fit. */
export interface WantedMemory {
  /** Op that gives it. */
  readonly op: string;
  /** Its shape; one axis for the buffers of a captured program, which values share. */
  readonly shape: readonly number[];
  /** Its size. */
  readonly bytes: number;
}

/** A tensor was used after its memory was given back. */
export class DisposedError extends Error {
  /** The class. */
  override readonly name = 'DisposedError';
  /** Op that was called. */
  readonly op: string;
  constructor(op: string, message: string) {
    super(`${op}: ${message}`);
    this.op = op;
  }
}

/** Something that a captured function may not do: read a value, change its shapes. */
export class CaptureError extends Error {
  /** The class. */
  override readonly name = 'CaptureError';
  constructor(message: string) {
    super(`capture: ${message}`);
  }
}

/** A NaN or an infinity where training must stop. */
export class NonFiniteError extends Error {
  /** The class. */
  override readonly name = 'NonFiniteError';
  /** What was checked. */
  readonly where: string;
  /** The op that made it, or first read it (see `detectAnomaly`); null when it was not looked for or not found. */
  readonly op: string | null;
  constructor(where: string, message: string, op: string | null = null) {
    super(`${where}: ${message}`);
    this.where = where;
    this.op = op;
  }
}
