/**
 * Documents in bulk requests: each with the version of its stream, so that whatever arrives
 * late or twice changes nothing; per-item answers told apart into written, refused for good,
 * and to be written again.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { quoted } from "../../domain/Codec.ts"
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

interface Item {
  readonly index: {
    readonly _index?: string
    readonly status: number
    readonly error?: unknown
  }
}

/** Some documents from `from` on, and where the next ones begin. */
interface Part {
  readonly documents: ReadonlyArray<SearchDocument>
  readonly end: number
  /** One text at once: many that wait for an answer would be moved about by the collector. */
  readonly lines: string
  readonly bytes: number
}

/** A line of what to do, a line of the document. */
type LineOf = (document: SearchDocument) => string

const makeLineOf = (target: BulkTarget, replace: boolean): LineOf => {
  const versionType = replace ? "external_gte" : "external"
  return (document) => {
    const index = quoted(target.nameOf(document.kind))
    const id = quoted(documentId(document))
    const version = document.version + 1
    const action = `{"index":{"_index":${index},"_id":${id},"version":${version},"version_type":"${versionType}"}}`
    return `${action}\n${encodeDocument(document)}\n`
  }
}

/** Up to the bound, and at least one. */
const partFrom = (documents: ReadonlyArray<SearchDocument>, from: number, bound: number, lineOf: LineOf): Part => {
  const lines: Array<string> = []
  let bytes = 0
  for (let index = from; index < documents.length; index++) {
    const line = lineOf(documents[index]!)
    const more = Buffer.byteLength(line)
    if (bytes + more > bound && lines.length > 0) break
    lines.push(line)
    bytes += more
  }
  const end = from + lines.length
  const isAll = lines.length === documents.length
  return { documents: isAll ? documents : documents.slice(from, end), end, lines: lines.join(""), bytes }
}

const letterOf = (document: SearchDocument, reason: string, time: number): DeadLetter => ({
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

/** Letters of what is refused; fails when any has to be written again. */
const readItems = (
  documents: ReadonlyArray<SearchDocument>,
  items: ReadonlyArray<Item>,
  target: BulkTarget,
  nodes: string,
  time: number
): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError> => {
  const letters: Array<DeadLetter> = []
  const failures: Array<ReadError> = []
  const written = new Set<string>()
  const taken = new Set<DocumentKind>()
  const doubtful: Array<{ readonly document: SearchDocument; readonly status: number; readonly error: ElasticError }> =
    []
  for (const [at, document] of documents.entries()) {
    const { _index, status, error: said } = items[at]!.index
    if (_index !== undefined && status < 300) written.add(_index)
    // 409: it is there as of the same event or a later one.
    if (status < 300 || status === 409) {
      taken.add(document.kind)
      continue
    }
    const error = errorIn({ error: said })
    if (error !== undefined && isRefusal(status, error))
      letters.push(letterOf(document, `${error.type}: ${error.reason}`, time))
    else if (error !== undefined && mayLieInDocument(status, error)) doubtful.push({ document, status, error })
    else failures.push(failureOfStatus(nodes, status, error))
  }
  for (const { document, error, status } of doubtful) {
    if (taken.has(document.kind)) letters.push(letterOf(document, `${error.type}: ${error.reason}`, time))
    else failures.push(failureOfStatus(nodes, status, error))
  }
  const failure = worst(failures)
  return Effect.andThen(
    target.confirm([...written]),
    failure === undefined ? Effect.succeed(letters) : Effect.fail(failure)
  )
}

const itemsIn = (body: unknown): ReadonlyArray<Item> | undefined => {
  const items = (body as { readonly items?: ReadonlyArray<Item> } | undefined)?.items
  return Array.isArray(items) ? items : undefined
}

export const makeWrite = (connection: ElasticConnection["Service"], target: BulkTarget, limits: BulkLimits) => {
  const { nodes, request } = connection
  const makeNew = makeLineOf(target, false)
  const makeAgain = makeLineOf(target, true)

  const halves = (documents: ReadonlyArray<SearchDocument>, lineOf: LineOf) => {
    const middle = documents.length >> 1
    return Effect.map(
      Effect.forEach([documents.slice(0, middle), documents.slice(middle)], (half) => sendAll(half, lineOf)),
      (letters) => letters.flat()
    )
  }

  const send = (part: Part, lineOf: LineOf): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError> => {
    const { bytes, documents } = part
    const canPart = documents.length > 1 && bytes > passingBytes
    return Effect.catch(sendAsOne(part, lineOf), (error) =>
      canPart && (isCutOff(error) || isLate(error)) ? halves(documents, lineOf) : Effect.fail(error)
    )
  }

  const sendAsOne = (
    { bytes, documents, lines }: Part,
    lineOf: LineOf
  ): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError> =>
    Effect.gen(function* () {
      const { body, status } = yield* request({
        method: "POST",
        path: "/_bulk",
        query: { filter_path: "items.*.status,items.*._index,items.*.error", require_alias: true },
        lines,
        timeoutMillis: limits.timeoutMillis,
        accept: [400, 413]
      })
      const time = yield* Clock.currentTimeMillis
      const error = errorIn(body)
      if (status >= 400) {
        if (!liesInDocument(status, error)) return yield* failureOfStatus(nodes, status, error)
        if (status === 413 && bytes <= passingBytes) {
          return yield* unavailable(
            `${nodes} does not take a request of ${bytes} bytes (HTTP 413): is it a proxy's bound?`
          )
        }
        // Only that one is refused.
        if (documents.length > 1) return yield* halves(documents, lineOf)
        const reason = error === undefined ? `HTTP ${status}` : `${error.type}: ${error.reason}`
        return [letterOf(documents[0]!, reason, time)]
      }
      const items = itemsIn(body)
      if (items?.length !== documents.length) return yield* unavailable(`${nodes}: the answer to a bulk is not whole`)
      return yield* readItems(documents, items, target, nodes, time)
    })

  /** One request as a rule. */
  const sendAll = Effect.fnUntraced(function* (
    documents: ReadonlyArray<SearchDocument>,
    lineOf: LineOf
  ): Effect.fn.Return<ReadonlyArray<DeadLetter>, ReadError> {
    const letters: Array<DeadLetter> = []
    for (let from = 0; from < documents.length;) {
      const part = partFrom(documents, from, limits.bytes, lineOf)
      letters.push(...(yield* send(part, lineOf)))
      from = part.end
    }
    return letters
  })

  return (
    documents: ReadonlyArray<SearchDocument>,
    options: { readonly replace?: boolean | undefined } = {}
  ): Effect.Effect<ReadonlyArray<DeadLetter>, ReadError> =>
    sendAll(documents, options.replace === true ? makeAgain : makeNew)
}
