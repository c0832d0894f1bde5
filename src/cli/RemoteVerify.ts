/** Runs `verify` in a running service and follows its progress. */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { RunningService } from "./ServicePlace.ts"
import { type ProgressDocument, type VerifyDocument, VerifyLine } from "./VerifyDocument.ts"

/** The service has not verified: it refused, failed on the way, or its answer broke off. */
export class RemoteVerifyFailed extends Schema.TaggedError<RemoteVerifyFailed>()("RemoteVerifyFailed", {
  url: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `the service at ${this.url} could not verify: ${this.reason}`
  }
}

const decodeLine = Schema.decodeEffect(Schema.fromJsonString(VerifyLine))

/** The report of the service; `onProgress` gets what it tells meanwhile. */
export const verifyRemotely = Effect.fnUntraced(function* (
  service: RunningService,
  onProgress: (progress: ProgressDocument) => Effect.Effect<void>
): Effect.fn.Return<VerifyDocument, RemoteVerifyFailed, HttpClient.HttpClient> {
  const url = service.baseUrl
  const failed = (reason: string) => new RemoteVerifyFailed({ url, reason })
  const client = yield* HttpClient.HttpClient
  const response = yield* HttpClientRequest.post(`${url}/v1/verify`).pipe(
    HttpClientRequest.bearerToken(service.apiKey),
    client.execute,
    Effect.mapError((error) => failed(error.message))
  )
  if (response.status !== 200) return yield* failed(`it answered ${response.status}`)
  const last = yield* response.stream.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line !== ""),
    Stream.mapEffect((line) => decodeLine(line)),
    Stream.tap((line) => ("progress" in line ? onProgress(line.progress) : Effect.void)),
    Stream.runLast,
    Effect.mapError((error) => failed(error.message))
  )
  const line = Option.getOrUndefined(last)
  if (line !== undefined && "report" in line) return line.report
  return yield* failed(line !== undefined && "error" in line ? line.error.message : "its answer broke off")
})
