/**
 * Tools inside the service, for those that cannot open an embedded data directory
 * beside it. Admin keys only. The answer is JSON lines, `progress` while there is any
 * and then `report` or `error`, so that progress shows and no proxy thinks the
 * connection dead. Whoever hangs up ends the run.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { failureReply, internalError, problemReply } from "../../http/HttpReply.ts"
import { bearerOf, Gate, refusal } from "../../http/Authentication.ts"
import { hasScope } from "../../http/api/Authorization.ts"
import { bodyReader } from "../../http/RequestBody.ts"
import { toJson } from "../Output.ts"

const forbidden = refusal(problemReply("Forbidden", "this needs a key with the scope admin"))

/** Progress waiting for a slow reader is dropped, the report never. */
const linesAhead = 16

const encoder = new TextEncoder()
const lineBytes = (line: unknown): Uint8Array => encoder.encode(`${toJson(line)}\n`)

interface Failure {
  readonly _tag: string
  readonly message: string
}

/** A tool's run: its progress as documents, its report as one. */
export type ToolRun<Options, R> = (
  options: Options,
  onProgress: (document: unknown) => Effect.Effect<void>
) => Effect.Effect<unknown, Failure, R>

const linesOf = <Options, R>(run: ToolRun<Options, R>, options: Options): Stream.Stream<Uint8Array, never, R> =>
  Stream.callback<Uint8Array, never, R>(
    (queue) =>
      run(options, (progress) =>
        Effect.suspend(() =>
          Queue.sizeUnsafe(queue) >= linesAhead
            ? Effect.void
            : Effect.asVoid(Queue.offer(queue, lineBytes({ progress })))
        )
      ).pipe(
        Effect.map((report): unknown => ({ report })),
        Effect.catch((error) => Effect.succeed<unknown>({ error: { code: error._tag, message: error.message } })),
        Effect.flatMap((line) => Queue.offer(queue, lineBytes(line))),
        Effect.andThen(Queue.end(queue))
      ),
    { bufferSize: linesAhead + 1 }
  )

/** The answer to whoever may not; `undefined`: go on. */
export const refuseAllButAdmins = Effect.fnUntraced(function* (
  gate: Gate["Service"],
  request: HttpServerRequest.HttpServerRequest
) {
  const admitted = yield* Effect.result(gate.admit(bearerOf(request.headers["authorization"])))
  if (Result.isFailure(admitted)) return refusal(admitted.failure)
  return hasScope(admitted.success, "admin") ? undefined : forbidden
})

/** `POST path` with the tool's options as its body, which may be left out. One run at a time. */
export const toolRoute = <S extends Schema.ConstraintDecoder<unknown>, R>(
  path: `/v1/${string}`,
  options: S,
  run: ToolRun<S["Type"], R>
) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const gate = yield* Gate
      const oneAtATime = yield* Semaphore.make(1)
      const services = yield* Effect.context<R>()
      const read = bodyReader(options, { mayBeEmpty: true })
      const handle = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
        const refused = yield* refuseAllButAdmins(gate, request)
        if (refused !== undefined) return refused
        const body = yield* Effect.result(read(request))
        if (Result.isFailure(body)) return refusal(failureReply(body.failure) ?? internalError)
        const turn = Effect.acquireRelease(oneAtATime.take(1), () => oneAtATime.release(1), { interruptible: true })
        const lines = Stream.unwrap(Effect.as(turn, linesOf(run, body.success)))
        return HttpServerResponse.stream(Stream.provideContext(lines, services), {
          contentType: "application/x-ndjson"
        })
      })
      yield* router.add("POST", path, handle)
    })
  ).pipe(Layer.provide(Gate.layer))
