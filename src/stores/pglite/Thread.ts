/**
 * PGlite on a thread of its own, so that a statement never takes the event loop from HTTP and
 * the actors.
 *
 * A thread that dies (a trap in WASM, out of memory) closes its sessions with an error, which the
 * driver reports as a lost connection; the next connection starts another thread, which recovers
 * the database from its write-ahead log. A database in memory cannot come back: it refuses from
 * then on.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Schema from "effect/Schema"
import { Duplex } from "node:stream"
import { Worker } from "node:worker_threads"
import { threadProgram } from "../PackageFile.ts"

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

export interface PgliteWorkerOptions {
  /** Absent: in memory. */
  readonly folder: string | undefined
  /** Server settings, as on the server's command line. */
  readonly settings: Readonly<Record<string, string>>
}

export type PgliteOrder =
  | { readonly _tag: "Data"; readonly session: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly _tag: "End"; readonly session: number }
  | { readonly _tag: "Close" }

export type PgliteAnswer =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Failed"; readonly reason: string }
  | { readonly _tag: "Data"; readonly session: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly _tag: "Ended"; readonly session: number }
  | { readonly _tag: "Closed" }

/** The embedded database could not be opened. */
export class EmbeddedDatabaseFailed extends Schema.TaggedError<EmbeddedDatabaseFailed>()("EmbeddedDatabaseFailed", {
  /** `memory` when it has no folder. */
  folder: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `the embedded database in ${this.folder} cannot be opened: ${this.reason}`
  }
}

/**
 * Milliseconds that a session may take to end. A statement cannot be cancelled:
 * one that goes on after its session was given up holds the whole database, so
 * its thread is ended and the database recovers.
 */
const endTimeoutMillis = 20_000

/** Milliseconds that PGlite may take to write its last checkpoint before the thread is ended anyway. */
const closeTimeoutMillis = 8_000

const workerUrl = (): URL => threadProgram(import.meta.url, "stores/pglite/Thread", "stores/pglite/pgliteWorker")

interface Session {
  readonly transport: PgliteTransport
  /** Ends the thread when the session takes too long to end. */
  watchdog: Fiber.Fiber<void> | undefined
}

/** Runs an effect beside the driver's callbacks, at most until the owner's scope closes. */
type Fork = (effect: Effect.Effect<void>) => Fiber.Fiber<void>

/** One worker, from its start to its end. */
class Incarnation {
  readonly worker: Worker
  readonly #sessions = new Map<number, Session>()
  #next = 0
  #state: "starting" | "ready" | "closed" = "starting"
  #reason = "its thread ended"
  readonly #onReady: (failure: string | undefined) => void
  readonly #onExit: () => void
  readonly #fork: Fork

  constructor(
    options: PgliteWorkerOptions,
    fork: Fork,
    onReady: (failure: string | undefined) => void,
    onExit: () => void
  ) {
    this.#fork = fork
    this.#onReady = onReady
    this.#onExit = onExit
    // Flags of the main program (loaders, inspectors, test runners) are not for this thread.
    this.worker = new Worker(workerUrl(), { workerData: options, execArgv: [], name: "effect-wallet-pglite" })
    this.worker.on("message", this.#onAnswer)
    this.worker.on("error", (error: Error) => {
      this.#reason = error.message
    })
    this.worker.on("exit", this.#onWorkerExit)
  }

  readonly terminate: Effect.Effect<void> = Effect.promise(async () => {
    await this.worker.terminate()
  })

  open(transport: PgliteTransport): PgliteSessionPort {
    const id = this.#next++
    const session: Session = { transport, watchdog: undefined }
    this.#sessions.set(id, session)
    return {
      write: (bytes) => this.order({ _tag: "Data", session: id, bytes }, [bytes.buffer]),
      end: () => {
        if (!this.#sessions.has(id)) return
        session.watchdog = this.#fork(Effect.delay(this.terminate, endTimeoutMillis))
        this.order({ _tag: "End", session: id })
      }
    }
  }

  order(order: PgliteOrder, transfer: Array<ArrayBuffer> = []): void {
    this.worker.postMessage(order, transfer)
  }

  readonly #onAnswer = (answer: PgliteAnswer): void => {
    switch (answer._tag) {
      case "Ready":
        this.#state = "ready"
        return this.#onReady(undefined)
      case "Failed":
        this.#reason = answer.reason
        return
      case "Data":
        this.#sessions.get(answer.session)?.transport.push(answer.bytes)
        return
      case "Ended":
        this.#sessions.get(answer.session)?.watchdog?.interruptUnsafe()
        this.#sessions.delete(answer.session)
        return
      case "Closed":
        this.#state = "closed"
        return
    }
  }

  readonly #onWorkerExit = (): void => {
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    this.#onExit()
    if (this.#state === "starting") this.#onReady(this.#reason)
    for (const session of sessions) {
      session.watchdog?.interruptUnsafe()
      session.transport.destroy(new Error(`the embedded database was lost: ${this.#reason}`))
    }
  }
}

export class PgliteThread {
  readonly #options: PgliteWorkerOptions
  readonly #fork: Fork
  #incarnation: Incarnation | undefined
  #refuses: string | undefined

  private constructor(options: PgliteWorkerOptions, fork: Fork) {
    this.#options = options
    this.#fork = fork
  }

  /** Open until the scope closes; then sessions are rolled back and a last checkpoint is written. */
  static readonly make = Effect.fnUntraced(function* (options: PgliteWorkerOptions) {
    yield* Effect.try({
      try: workerUrl,
      catch: (cause) =>
        new EmbeddedDatabaseFailed({
          folder: options.folder ?? "memory",
          reason: `the package effect-wallet is in no node_modules above this program (${String(cause)})`
        })
    })
    const fork = yield* FiberSet.makeRuntime<never, void>()
    const thread = new PgliteThread(options, fork)
    yield* Effect.acquireRelease(thread.open, () => thread.close)
    return thread
  })

  /** Starts the thread and waits until the database is open. */
  readonly open: Effect.Effect<void, EmbeddedDatabaseFailed> = Effect.callback<void, EmbeddedDatabaseFailed>(
    (resume) => {
      const folder = this.#options.folder ?? "memory"
      this.#start((reason) =>
        resume(reason === undefined ? Effect.void : Effect.fail(new EmbeddedDatabaseFailed({ folder, reason })))
      )
      return this.terminate
    }
  )

  /** What `@effect/sql-pg` takes as its `stream`. */
  readonly connect = (): PgliteTransport => {
    const transport = new PgliteTransport(() => {
      if (this.#refuses !== undefined) return { refused: this.#refuses }
      return (this.#incarnation ?? this.#start(() => undefined)).open(transport)
    })
    return transport
  }

  /** Rolls back, writes a checkpoint, closes the database and ends the thread. */
  readonly close: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.#refuses = "the embedded database is closed"
    const incarnation = this.#incarnation
    if (incarnation === undefined) return resume(Effect.void)
    incarnation.worker.once("exit", () => resume(Effect.void))
    incarnation.order({ _tag: "Close" })
  }).pipe(Effect.timeoutOrElse({ duration: closeTimeoutMillis, orElse: () => this.terminate }))

  /** Ends the thread as it stands: the database recovers from its write-ahead log when it is next opened. */
  readonly terminate: Effect.Effect<void> = Effect.suspend(() => this.#incarnation?.terminate ?? Effect.void)

  /** Ends the thread as it stands and starts no other: somebody else may have the folder by now. */
  readonly abandon = (reason: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.#refuses = reason
      return this.terminate
    })

  #start(onReady: (failure: string | undefined) => void): Incarnation {
    const incarnation = new Incarnation(this.#options, this.#fork, onReady, () => {
      if (this.#incarnation !== incarnation) return
      this.#incarnation = undefined
      if (this.#options.folder === undefined) this.#refuses ??= "the database in memory was lost with its thread"
    })
    this.#incarnation = incarnation
    return incarnation
  }
}
