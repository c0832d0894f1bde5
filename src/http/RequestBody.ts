/**
 * Reads and decodes a request's body, strictly: JSON in UTF-8 (`JsonBody.ts`), no unknown
 * fields, at most 128 KiB for one command and 1 MiB for a batch.
 *
 * On Node the body is taken from the socket's stream directly, which halves what
 * a small request costs; any other server goes the portable way.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"
import { IncomingMessage } from "node:http"
import { InvalidRequest } from "../domain/Rejection.ts"
import { isIntricate, notJson, parseBody, repeatedMember } from "./JsonBody.ts"
import { invalidRequest, places } from "./ValueErrors.ts"
import { PayloadTooLarge, UnsupportedMediaType } from "./api/Problem.ts"

/** Bytes of one command: the largest that its form allows, 20 pairs of metadata all written as escapes, has some 71,000. */
export const maxCommandBytes = 128 * 1024
/** Bytes of a batch. */
export const maxBatchBytes = 1024 * 1024
/** `:` and `,` of one command: the largest has some 60. */
export const maxCommandSigns = 128
/** … of a transfer: of a hundred legs, which have some 50 each at most. */
export const maxTransferSigns = 6_000
/** … and of a batch: of a thousand commands, which have some 55 each at most. */
export const maxBatchSigns = 64_000

export type BodyError = InvalidRequest | PayloadTooLarge | UnsupportedMediaType

const tooLarge = (maxBytes: number) => new PayloadTooLarge({ detail: `this body has at most ${maxBytes} bytes` })
/** Of the body as a whole. */
const brokenOff = () => new InvalidRequest({ detail: "the body ended before its announced length" })

const jsonType = /^application\/json *(?:; *charset *= *"?utf-8"? *)?$/i

/** Why the body cannot be read, from the headers alone. */
const refusal = (request: HttpServerRequest, maxBytes: number): PayloadTooLarge | UnsupportedMediaType | undefined => {
  const { headers } = request
  const type = headers["content-type"]
  const encoding = headers["content-encoding"]
  if (type !== undefined && !jsonType.test(type)) {
    return new UnsupportedMediaType({ detail: "a body is application/json in UTF-8" })
  }
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    return new UnsupportedMediaType({ detail: "a body is sent without content-encoding" })
  }
  return Number(headers["content-length"]) > maxBytes ? tooLarge(maxBytes) : undefined
}

/** The whole body from Node's stream. One chunk, as small bodies have, is not copied. */
export const readNode = (message: IncomingMessage, maxBytes: number) =>
  Effect.callback<Buffer, PayloadTooLarge | InvalidRequest>((resume) => {
    let first: Buffer | undefined
    let more: Array<Buffer> | undefined
    let size = 0
    const stop = () => {
      message.off("data", onData)
      message.off("end", onEnd)
      message.off("close", onClose)
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) {
        stop()
        message.pause()
        return resume(Effect.fail(tooLarge(maxBytes)))
      }
      if (first === undefined) first = chunk
      else if (more === undefined) more = [first, chunk]
      else more.push(chunk)
    }
    const onEnd = () => {
      stop()
      resume(Effect.succeed(more === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(more)))
    }
    const onClose = () => {
      stop()
      resume(Effect.fail(brokenOff()))
    }
    if (message.readableEnded) return onEnd()
    if (message.destroyed) return onClose()
    message.on("data", onData)
    message.on("end", onEnd)
    message.on("close", onClose)
    return Effect.sync(stop)
  })

const readPortable = (request: HttpServerRequest, maxBytes: number) =>
  request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(maxBytes)),
    Effect.map((buffer) => Buffer.from(buffer)),
    Effect.mapError(({ reason }) =>
      reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge" ? tooLarge(maxBytes) : brokenOff()
    )
  )

const readBytes = (request: HttpServerRequest, maxBytes: number) =>
  // A client that waits for "100 Continue" gets it from the portable reader only.
  request.source instanceof IncomingMessage && request.headers["expect"] === undefined
    ? readNode(request.source, maxBytes)
    : readPortable(request, maxBytes)

/** Form errors of a value as `InvalidRequest`. */
export const decoder = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownEffect(schema, { onExcessProperty: "error", errors: "all" })
  return (value: unknown): Effect.Effect<S["Type"], InvalidRequest> =>
    Effect.mapErrorEager(decode(value), (error) => invalidRequest(error.issue, places.body))
}

export interface BodyOptions {
  /** A body may be left out, and is then one without fields. */
  readonly mayBeEmpty?: boolean
  /** Default: that of one command. */
  readonly maxBytes?: number
  /** `:` and `,` outside of strings; default: that of one command. */
  readonly maxSigns?: number
}

const tooIntricate = Symbol("effect-wallet/http/RequestBody/tooIntricate")

/** What is wrong with a body as a whole. */
const faults: Readonly<Record<symbol, string>> = {
  [notJson]: "the body is not JSON in UTF-8",
  [repeatedMember]: "a member stands twice in one object of the body",
  [tooIntricate]: "the body has more members, or deeper ones, than a body of its kind can have"
}

export const decodeBytes = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  { mayBeEmpty = false, maxSigns = maxCommandSigns }: BodyOptions = {}
) => {
  const decode = decoder(schema)
  return (bytes: Buffer): Effect.Effect<S["Type"], InvalidRequest> => {
    if (bytes.length === 0) {
      return mayBeEmpty ? decode({}) : Effect.fail(new InvalidRequest({ detail: "a JSON body is required" }))
    }
    const value = isIntricate(bytes, maxSigns) ? tooIntricate : parseBody(bytes)
    const fault = typeof value === "symbol" ? faults[value] : undefined
    return fault === undefined ? decode(value) : Effect.fail(new InvalidRequest({ detail: fault }))
  }
}

/** A reader of bodies of one form. */
export const bodyReader = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  options: BodyOptions = {}
): ((request: HttpServerRequest) => Effect.Effect<S["Type"], BodyError>) => {
  const decode = decodeBytes(schema, options)
  const { maxBytes = maxCommandBytes } = options
  return (request) => {
    const refused = refusal(request, maxBytes)
    return refused === undefined ? Effect.flatMap(readBytes(request, maxBytes), decode) : Effect.fail(refused)
  }
}
