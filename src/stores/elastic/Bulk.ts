/**
 * Documents in bulk requests: each with the version of its stream, so that whatever arrives
 * late or twice changes nothing; per-item answers told apart into written, refused for good,
 * and to be written again.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { DeadLetter } from "../Persistence.ts"
import { type DocumentKind, documentId, documentWallet, type SearchDocument } from "../SearchIndex.ts"
import type { ReadError } from "../StoreError.ts"
import type { ElasticConnection } from "./Connection.ts"
import { encodeDocument } from "./Documents.ts"
import { type ElasticError, errorIn, failureOfStatus, isCutOff, isLate, unavailable } from "./Failure.ts"

/** Where documents go. */
export interface BulkTarget {
  /** An alias: what is none is written by nobody, and no write makes an index. */
  readonly nameOf: (kind: DocumentKind) => string
  /** Fails unless these indexes, which have taken documents, are ours to write to. */
  readonly confirm: (indexes: ReadonlyArray<string>) => Effect.Effect<void, ReadError>
}

export interface BulkLimits {
  /** Of one request; a single document may be larger. */
  readonly bytes: number
  /** Milliseconds a request may take. */
  readonly timeoutMillis: number
}

interface Line {
  readonly document: SearchDocument
  readonly text: string
  readonly bytes: number
}

interface Item {
  readonly _index?: string
  readonly status: number
  readonly error?: unknown
}

const lineOf = (document: SearchDocument, target: BulkTarget, replace: boolean): Line => {
  const action = {
    index: {
      _index: target.nameOf(document.kind),
      _id: documentId(document),
      version: document.version + 1,
      version_type: replace ? "external_gte" : "external"
    }
  }
  const text = `${JSON.stringify(action)}\n${encodeDocument(document)}\n`
  return { document, text, bytes: Buffer.byteLength(text) }
}

/** In order, each part within the bound or a single line. */
const partsWithin = (lines: ReadonlyArray<Line>, bound: number): ReadonlyArray<ReadonlyArray<Line>> => {
  const parts: Array<Array<Line>> = []
  let bytes = bound
  for (const line of lines) {
    if (bytes + line.bytes > bound) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)!.push(line)
    bytes += line.bytes
  }
  return parts
}

const letterOf = ({ document }: Line, reason: string, time: number): DeadLetter => ({
  kind: document.kind,
  id: documentId(document),
  walletId: documentWallet(document),
  version: document.version,
  reason,
  time
})

/** What Elasticsearch says of a document that it will never take. */
const isRefusal = (status: number, { reason, type }: ElasticError): boolean =>
  status === 400 &&
  (type === "strict_dynamic_mapping_exception" ||
    type === "document_parsing_exception" ||
    type === "mapper_parsing_exception" ||
    (type === "illegal_argument_exception" && /immense term|max length|too (?:long|large)/i.test(reason)))

/** The same type stands for much that is not the document's: whether others of its kind are taken tells. */
const mayLieInDocument = (status: number, { type }: ElasticError): boolean =>
  status === 400 && type === "illegal_argument_exception"

/** Those of a whole request that lie with one of its documents. */
const liesInDocument = (status: number, error: ElasticError | undefined): boolean =>
  status === 413 ||
  (status === 400 &&
    (error?.type === "illegal_argument_exception" || error?.type === "action_request_validation_exception"))

/** A defect is told first: trying again does not settle it. */
const worst = (failures: ReadonlyArray<ReadError>): ReadError | undefined =>
  failures.find(({ _tag }) => _tag === "StoreDefect") ?? failures[0]

/** Nothing is in the way of a request up to this size; of a larger one smaller parts may pass, or be done in time. */
const passingBytes = 524_288

const bytesOf = (lines: ReadonlyArray<Line>): number => lines.reduce((sum, line) => sum + line.bytes, 0)

/** Letters of what is refused; fails when any has to be written again. */
const readItems = (
  lines: ReadonlyArray<Line>,
  items: ReadonlyArray<Item>,
  target: BulkTarget,
  nodes: string,
  time: number
): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError> => {
  const letters: Array<DeadLetter> = []
  const failures: Array<ReadError> = []
  const written = new Set<string>()
  const taken = new Set<DocumentKind>()
  const doubtful: Array<{ readonly line: Line; readonly status: number; readonly error: ElasticError }> = []
  for (const [index, line] of lines.entries()) {
    const { _index, status, error: said } = items[index]!
    if (_index !== undefined && status < 300) written.add(_index)
    // 409: it is there as of the same event or a later one.
    if (status < 300 || status === 409) {
      taken.add(line.document.kind)
      continue
    }
    const error = errorIn({ error: said })
    if (error !== undefined && isRefusal(status, error))
      letters.push(letterOf(line, `${error.type}: ${error.reason}`, time))
    else if (error !== undefined && mayLieInDocument(status, error)) doubtful.push({ line, status, error })
    else failures.push(failureOfStatus(nodes, status, error))
  }
  for (const { error, line, status } of doubtful) {
    if (taken.has(line.document.kind)) letters.push(letterOf(line, `${error.type}: ${error.reason}`, time))
    else failures.push(failureOfStatus(nodes, status, error))
  }
  const failure = worst(failures)
  return Effect.andThen(
    target.confirm([...written]),
    failure === undefined ? Effect.succeed(letters) : Effect.fail(failure)
  )
}

const itemsIn = (body: unknown): ReadonlyArray<Item> | undefined => {
  const items = (body as { readonly items?: ReadonlyArray<{ readonly index: Item }> } | undefined)?.items
  return Array.isArray(items) ? items.map(({ index }) => index) : undefined
}

export const makeWrite = (connection: ElasticConnection["Service"], target: BulkTarget, limits: BulkLimits) => {
  const { nodes, request } = connection

  const halves = (lines: ReadonlyArray<Line>) => {
    const middle = lines.length >> 1
    return Effect.map(Effect.forEach([lines.slice(0, middle), lines.slice(middle)], send), (letters) => letters.flat())
  }

  const send = (lines: ReadonlyArray<Line>): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError> => {
    const canPart = lines.length > 1 && bytesOf(lines) > passingBytes
    return Effect.catch(sendAsOne(lines), (error) =>
      canPart && (isCutOff(error) || isLate(error)) ? halves(lines) : Effect.fail(error)
    )
  }

  const sendAsOne = (lines: ReadonlyArray<Line>): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError> =>
    Effect.gen(function* () {
      const { body, status } = yield* request({
        method: "POST",
        path: "/_bulk",
        query: { filter_path: "items.*.status,items.*._index,items.*.error", require_alias: true },
        lines: lines.map(({ text }) => text).join(""),
        timeoutMillis: limits.timeoutMillis,
        accept: [400, 413]
      })
      const time = yield* Clock.currentTimeMillis
      const error = errorIn(body)
      if (status >= 400) {
        if (!liesInDocument(status, error)) return yield* failureOfStatus(nodes, status, error)
        const bytes = bytesOf(lines)
        if (status === 413 && bytes <= passingBytes) {
          return yield* unavailable(
            `${nodes} does not take a request of ${bytes} bytes (HTTP 413): is it a proxy's bound?`
          )
        }
        // Only that one is refused.
        if (lines.length > 1) return yield* halves(lines)
        return [letterOf(lines[0]!, error === undefined ? `HTTP ${status}` : `${error.type}: ${error.reason}`, time)]
      }
      const items = itemsIn(body)
      if (items?.length !== lines.length) return yield* unavailable(`${nodes}: the answer to a bulk is not whole`)
      return yield* readItems(lines, items, target, nodes, time)
    })

  return (
    documents: ReadonlyArray<SearchDocument>,
    options: { readonly replace?: boolean | undefined } = {}
  ): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError> => {
    const lines = documents.map((document) => lineOf(document, target, options.replace === true))
    return Effect.map(Effect.forEach(partsWithin(lines, limits.bytes), send), (letters) => letters.flat())
  }
}
