// TernError: what goes wrong, as a code for programs and a sentence for people that says what to do.

export type TernErrorCode =
  | "aborted" // the caller's signal
  | "not-found" // 404, no such stored model
  | "forbidden" // 401, 403
  | "http" // any other refusal of a server
  | "network" // offline, or the server does not allow this page to read it (CORS)
  | "not-a-model" // a web page, or bytes that are no model
  | "incomplete" // a server that ended early or lied about a length
  | "checksum" // other bytes than the SHA-256 says
  | "storage" // the browser's storage is full, refused or in use
  | "memory" // the model does not fit
  | "gpu" // no WebGPU, or it failed
  | "unsupported" // a model or a wish that Tern cannot serve
  | "invalid" // an argument, or a file that breaks its format
  | "worker" // the worker could not start, or ended
  | "internal"; // a mistake in Tern

export class TernError extends Error {
  readonly code: TernErrorCode;

  constructor(code: TernErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TernError";
    this.code = code;
  }
}

/// `error` as a TernError; `code` for one that is none yet.
export function asTernError(error: unknown, code: TernErrorCode): TernError {
  if (error instanceof TernError) return error;
  if (error instanceof DOMException && error.name === "AbortError") return aborted();
  return new TernError(code, error instanceof Error ? error.message : String(error), { cause: error });
}

export function aborted(): TernError {
  return new TernError("aborted", "It was cancelled.");
}
