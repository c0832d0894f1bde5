/**
 * A document that is the same for all who ask: its bytes, packed and plain, are made once, and sent piece by piece as
 * they are taken, so that who reads slowly, or not at all, keeps nothing of the system's memory.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Crypto from "node:crypto"
import { promisify } from "node:util"
import * as Zlib from "node:zlib"

/** Documents that are being sent at a time, of all pages: each may be megabytes of the system's buffers. Others wait. */
const maxDocuments = 16

/** Of which each document takes one while it is being sent. */
export class DocumentPlaces extends Context.Service<DocumentPlaces, Semaphore.Semaphore>()(
  "effect-wallet/http/StaticDocument/DocumentPlaces"
) {
  static readonly layer: Layer.Layer<DocumentPlaces> = Layer.effect(DocumentPlaces, Semaphore.make(maxDocuments))
}

/** Bytes of a document that are written at once: the system would take megabytes in one go, from whoever asks. */
const pieceBytes = 64 * 1024

export interface StaticDocument {
  readonly contentType: string
  readonly plain: Uint8Array
  readonly gzipped: Uint8Array
  /** Of the plain bytes. */
  readonly etag: string
}

const gzip = promisify(Zlib.gzip)

export const makeStaticDocument = (contentType: string, bytes: Uint8Array): Effect.Effect<StaticDocument> =>
  Effect.map(
    Effect.promise(() => gzip(bytes, { level: 9 })),
    (gzipped) => ({
      contentType,
      plain: bytes,
      gzipped,
      etag: Crypto.createHash("sha256").update(bytes).digest("base64url").slice(0, 22)
    })
  )

const takesGzip = (accepted: string | undefined): boolean =>
  accepted !== undefined && /(?:^|[,\s])gzip(?!\s*;\s*q=0(?:\.0*)?(?:\s|,|$))/i.test(accepted)

/** Whether the client says that it has these very bytes, packed or not. */
const has = (given: string | undefined, etag: string): boolean => given !== undefined && given.includes(etag)

/**
 * The answer to the request of this fiber. `headers`: those of the document, which also an answer without bytes has.
 */
export const sendDocument = (
  document: StaticDocument,
  headers: Readonly<Record<string, string>>,
  places: Semaphore.Semaphore
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.withFiber((fiber) => {
    const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
    const zipped = takesGzip(request.headers["accept-encoding"])
    const tagged = {
      ...headers,
      vary: "accept-encoding",
      // Two codings of one document are two sequences of bytes.
      etag: zipped ? `"${document.etag}-gzip"` : `"${document.etag}"`
    }
    if (has(request.headers["if-none-match"], document.etag)) {
      return Effect.succeed(HttpServerResponse.empty({ status: 304, headers: tagged }))
    }
    const bytes = zipped ? document.gzipped : document.plain
    const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
      bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes)
    )
    const place = Effect.acquireRelease(places.take(1), () => places.release(1))
    return Effect.succeed(
      HttpServerResponse.stream(Stream.unwrap(Effect.as(place, Stream.fromIterable(pieces, { chunkSize: 1 }))), {
        contentType: document.contentType,
        contentLength: bytes.length,
        headers: zipped ? { ...tagged, "content-encoding": "gzip" } : tagged
      })
    )
  })
