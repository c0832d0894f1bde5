/**
 * The client's end of a session with PGlite: a `Duplex` that stands where
 * `@effect/sql-pg` would have a socket.
 */
import { Duplex } from "node:stream"

/** What a session asks of the thread that runs PGlite. */
export interface PgliteSessionPort {
  readonly write: (bytes: Uint8Array<ArrayBuffer>) => void
  /** The session is over, whatever it had open is to be rolled back. Called once. */
  readonly end: () => void
}

/** There is no database to have a session with, and why. */
export interface PgliteRefusal {
  readonly refused: string
}

const cancelRequestCode = 80877102

const isCancelRequest = (bytes: Uint8Array): boolean =>
  bytes.length >= 8 && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(4) === cancelRequestCode

/**
 * Asks for its session with the first write and ends it when it is destroyed.
 *
 * PGlite cannot interrupt a statement: a request to cancel is taken and answered
 * as a server does, by closing, and the statement runs to its end.
 */
export class PgliteTransport extends Duplex {
  readonly #open: () => PgliteSessionPort | PgliteRefusal
  #port: PgliteSessionPort | undefined

  constructor(open: () => PgliteSessionPort | PgliteRefusal) {
    super()
    this.#open = open
  }

  override _read(): void {
    // Answers are pushed as they come: a statement's rows are bounded by its caller.
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#port === undefined) {
      if (isCancelRequest(chunk)) {
        done()
        this.destroy()
        return
      }
      const opened = this.#open()
      if ("refused" in opened) return done(new Error(opened.refused))
      this.#port = opened
    }
    // A copy: the driver's buffers come from a pool that it uses again.
    this.#port.write(Uint8Array.from(chunk))
    done()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.push(null)
    done()
    this.destroy()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#port?.end()
    this.#port = undefined
    done(error)
  }
}
