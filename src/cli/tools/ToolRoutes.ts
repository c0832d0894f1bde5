/**
 * What the service serves for its tools, beside the API: `verify`, `replay` and `inspect`
 * for those that cannot open an embedded data directory beside it. Admin keys only; an
 * extension beside the contract, its fields may grow.
 *
 * The reply to a run is JSON lines, `progress` while there is any and then `report` or
 * `error`, so that progress shows and no proxy thinks the connection dead. Whoever hangs
 * up ends the run.
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
import { toJson } from "../Output.ts"
import type { Ownership } from "../../actors/Ownership.ts"
import type { WalletRegistry } from "../../actors/WalletRegistry.ts"
import type { WritePipeline } from "../../actors/WritePipeline.ts"
import { isId } from "../../domain/Limits.ts"
import { inspect } from "../../engine/Inspect.ts"
import { replay, replayWallet } from "../../engine/rebuild/Rebuild.ts"
import { verify } from "../../engine/verify/Verify.ts"
import { hasScope } from "../../http/api/Authorization.ts"
import { bearerOf, Gate, refusal } from "../../http/Authentication.ts"
import { failureReply, internalError, plainReply, problemReply, respond, toResponse } from "../../http/HttpReply.ts"
import { storesJson } from "../../http/InspectionDocuments.ts"
import { bodyReader } from "../../http/RequestBody.ts"
import type { EventStore } from "../../stores/EventStore.ts"
import type { Persistence } from "../../stores/Persistence.ts"
import type { ReadModel } from "../../stores/ReadModel.ts"
import { replayDocument, replayProgressDocument, ReplayRequest } from "./ReplayDocument.ts"
import { searchReplay, searchReplayPath } from "./SearchReplay.ts"
import { SearchReplayRequest } from "./SearchReplayDocument.ts"
import { progressDocument, verifyDocument, VerifyRequest } from "./VerifyDocument.ts"

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
type ToolRun<Options, R> = (
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

/** The response to whoever may not; `undefined`: go on. */
const refuseAllButAdmins = Effect.fnUntraced(function* (
  gate: Gate["Service"],
  request: HttpServerRequest.HttpServerRequest
) {
  const admitted = yield* Effect.result(gate.admit(bearerOf(request.headers["authorization"]), request))
  if (Result.isFailure(admitted)) return refusal(admitted.failure)
  return hasScope(admitted.success, "admin") ? undefined : forbidden
})

/** `POST path` with the tool's options as its body, which may be left out. One run at a time. */
const toolRoute = <S extends Schema.ConstraintDecoder<unknown>, R>(
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

/** Wallets, and slices of them, compared at a time beside the service's own work: a fifth of its connections. */
const verifyBounds = { concurrency: 2, bounds: { slices: 1 } }

/** `POST /v1/verify`: runs `verify` inside the service. */
const verifyRoute = toolRoute("/v1/verify", VerifyRequest, (options, onProgress) =>
  Effect.map(
    verify({ ...options, ...verifyBounds, onProgress: (progress) => onProgress(progressDocument(progress)) }),
    verifyDocument
  )
)

/** Events per page of a replay: small, for the service's own writes wait behind one where there is one connection. */
const replayPageEvents = 1_000

/** `POST /v1/replay`: runs `replay` inside the service, beside its own work. */
const replayRoute = toolRoute("/v1/replay", ReplayRequest, ({ from, mode, restart, walletId }, onProgress) =>
  Effect.map(
    walletId === undefined
      ? replay({
          mode,
          restart,
          from: from === undefined ? undefined : BigInt(from),
          pageEvents: replayPageEvents,
          onProgress: (progress) => onProgress(replayProgressDocument(progress))
        })
      : replayWallet(walletId),
    replayDocument
  )
)

/** `POST /v1/replay/search`: runs `replay --target readModel` inside the service, beside its own work. */
const searchReplayRoute = toolRoute(searchReplayPath, SearchReplayRequest, (request, onProgress) =>
  searchReplay(request, onProgress, replayPageEvents)
)

const idForm = "an id is 1 to 64 of A-Z a-z 0-9 _ -"
const badId = toResponse(
  problemReply("InvalidRequest", idForm, undefined, { errors: [{ pointer: "#/path/walletId", detail: idForm }] })
)

type InspectedServices = EventStore | Persistence | ReadModel | WalletRegistry | Ownership | WritePipeline

/** `GET /v1/wallets/{id}/inspect`: one wallet across all stores, and its actor on this node. */
const inspectRoute = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const gate = yield* Gate
    const services = yield* Effect.context<InspectedServices>()
    const handle = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const refused = yield* refuseAllButAdmins(gate, request)
      if (refused !== undefined) return refused
      const { walletId = "" } = yield* HttpRouter.params
      if (!isId(walletId)) return badId
      const report = Effect.provideContext(inspect(walletId), services)
      return yield* respond(Effect.map(report, (found) => plainReply(200, storesJson(found))))
    })
    yield* router.add("GET", "/v1/wallets/:walletId/inspect", handle)
  })
).pipe(Layer.provide(Gate.layer))

/** To be served beside the API. */
export const toolRoutes = Layer.mergeAll(verifyRoute, replayRoute, searchReplayRoute, inspectRoute)
