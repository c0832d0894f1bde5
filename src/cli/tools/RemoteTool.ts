/** Runs a tool in a running service and follows its progress. */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { parseJson } from "../../domain/Json.ts"
import type { RunningService } from "../ServicePlace.ts"

/** The service has not done it: it refused, failed on the way, or its reply broke off. */
export class RemoteToolFailed extends Schema.TaggedError<RemoteToolFailed>()("RemoteToolFailed", {
  url: Schema.String,
  tool: Schema.String,
  reason: Schema.String,
  /** Of the service's own failure; `""`: it is none. */
  code: Schema.String
}) {
  override get message(): string {
    return `the service at ${this.url} could not ${this.tool}: ${this.reason}`
  }
}

const Failure = Schema.Struct({ code: Schema.String, message: Schema.String })

interface RemoteTool<Progress, Report> {
  readonly tool: string
  readonly path: `/v1/${string}`
  readonly body: Record<string, unknown>
  readonly progress: Schema.Codec<Progress>
  readonly report: Schema.Codec<Report>
  readonly onProgress: (progress: Progress) => Effect.Effect<void>
}

const send = Effect.fnUntraced(function* (
  service: RunningService,
  tool: string,
  request: HttpClientRequest.HttpClientRequest
): Effect.fn.Return<HttpClientResponse.HttpClientResponse, RemoteToolFailed, HttpClient.HttpClient> {
  const url = service.baseUrl
  const client = yield* HttpClient.HttpClient
  const response = yield* client
    .execute(HttpClientRequest.bearerToken(request, service.apiKey))
    .pipe(Effect.mapError((error) => new RemoteToolFailed({ url, tool, reason: error.message, code: "" })))
  if (response.status === 200) return response
  const problem = yield* Effect.option(response.json)
  const { code, detail } = Option.getOrElse(problem, () => ({})) as { readonly code?: string; readonly detail?: string }
  const reason = detail === undefined ? `it answered ${response.status}` : `it answered ${response.status}, ${detail}`
  return yield* new RemoteToolFailed({ url, tool, reason, code: code ?? "" })
})

/** The report of the service; `onProgress` gets what it tells meanwhile. */
export const runRemotely = Effect.fnUntraced(function* <Progress, Report>(
  service: RunningService,
  { body, onProgress, path, progress, report, tool }: RemoteTool<Progress, Report>
): Effect.fn.Return<Report, RemoteToolFailed, HttpClient.HttpClient> {
  const url = service.baseUrl
  const failed = (reason: string, code = "") => new RemoteToolFailed({ url, tool, reason, code })
  const Line = Schema.Union([Schema.Struct({ progress }), Schema.Struct({ report }), Schema.Struct({ error: Failure })])
  const decodeLine = Schema.decodeEffect(Schema.fromJsonString(Line))
  const request = HttpClientRequest.post(`${url}${path}`).pipe(HttpClientRequest.bodyJsonUnsafe(body))
  const response = yield* send(service, tool, request)
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
  return yield* line !== undefined && "error" in line
    ? failed(line.error.message, line.error.code)
    : failed("its answer broke off")
})

/** A document of the service, asked for by GET. */
export const readRemotely = Effect.fnUntraced(function* <Document>(
  service: RunningService,
  tool: string,
  path: `/v1/${string}`,
  document: Schema.Codec<Document>
): Effect.fn.Return<Document, RemoteToolFailed, HttpClient.HttpClient> {
  const response = yield* send(service, tool, HttpClientRequest.get(`${service.baseUrl}${path}`))
  return yield* response.text.pipe(
    // It shows names that callers have chosen.
    Effect.flatMap((text) => Effect.try({ try: () => parseJson(text), catch: (error) => error as SyntaxError })),
    Effect.flatMap(Schema.decodeUnknownEffect(document)),
    Effect.mapError(({ message }) => new RemoteToolFailed({ url: service.baseUrl, tool, reason: message, code: "" }))
  )
})
