/**
 * `POST /v1/verify`: runs `verify` inside the service, for the tool that cannot open
 * an embedded data directory beside it. Admin keys only; one run at a time. The answer
 * is JSON lines, so that progress shows and no proxy thinks the connection dead.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { verify } from "../engine/Verify.ts"
import { problemAnswer } from "../http/Answer.ts"
import { bearerOf, Gate, refusal } from "../http/Authenticate.ts"
import { hasScope } from "../http/Authorization.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { Persistence } from "../stores/Persistence.ts"
import type { ReadModel } from "../stores/ReadModel.ts"
import { toJson } from "./Output.ts"
import { progressDocument, verifyDocument, type VerifyLine } from "./VerifyDocument.ts"

const forbidden = refusal(problemAnswer("Forbidden", "this needs a key with the scope admin"))

/** Progress waiting for a slow reader is dropped, the report never. */
const linesAhead = 16

const encoder = new TextEncoder()
const lineBytes = (line: VerifyLine): Uint8Array => encoder.encode(`${toJson(line)}\n`)

const verifyStream = Stream.callback<Uint8Array, never, EventStore | Persistence | ReadModel>(
  (queue) =>
    verify({
      onProgress: (progress) =>
        Effect.suspend(() =>
          Queue.sizeUnsafe(queue) >= linesAhead
            ? Effect.void
            : Effect.asVoid(Queue.offer(queue, lineBytes({ progress: progressDocument(progress) })))
        )
    }).pipe(
      Effect.map((report): VerifyLine => ({ report: verifyDocument(report) })),
      Effect.catch((error) => Effect.succeed<VerifyLine>({ error: { code: error._tag, message: error.message } })),
      Effect.flatMap((line) => Queue.offer(queue, lineBytes(line))),
      Effect.andThen(Queue.end(queue))
    ),
  { bufferSize: linesAhead + 1 }
)

/** To be served beside the API. */
export const verifyRoute = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const gate = yield* Gate
    const oneAtATime = yield* Semaphore.make(1)
    const stores = yield* Effect.context<EventStore | Persistence | ReadModel>()
    const handle = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const admitted = yield* Effect.result(gate.admit(bearerOf(request.headers["authorization"])))
      if (Result.isFailure(admitted)) return refusal(admitted.failure)
      if (!hasScope(admitted.success, "admin")) return forbidden
      const lines = Stream.unwrap(
        Effect.as(
          Effect.acquireRelease(oneAtATime.take(1), () => oneAtATime.release(1), { interruptible: true }),
          verifyStream
        )
      )
      return HttpServerResponse.stream(Stream.provideContext(lines, stores), { contentType: "application/x-ndjson" })
    })
    yield* router.add("POST", "/v1/verify", handle)
  })
).pipe(Layer.provide(Gate.layer))
