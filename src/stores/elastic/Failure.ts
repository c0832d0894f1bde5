/**
 * From what Elasticsearch and its client say to what the ports promise, with one line of reason
 * that names the address and the cause, and never a secret.
 *
 * What may be in order later, also by an operator's hand (a password, a certificate, a server of another
 * product behind the address), is `StoreUnavailable`; an index that is gone or is not as we made it, and
 * what Elasticsearch refuses to understand, is `StoreDefect`.
 */
import * as Effect from "effect/Effect"
import { type ReadError, StoreDefect, StoreUnavailable } from "../StoreError.ts"

/** Milliseconds: about what a connection or a full queue takes to come back. */
const soon = 1_000
/** Milliseconds: what somebody has to mend. */
const late = 5_000

export const unavailable = (reason: string, retryAfter: number = soon): StoreUnavailable =>
  new StoreUnavailable({ store: "readModel", reason, retryAfter })

export const defect = (reason: string): StoreDefect => new StoreDefect({ store: "readModel", reason })

export const wayOut = "`wallet replay --target readModel` makes a new one"

/** An error as Elasticsearch says it, of a whole request or of one item of a bulk. */
export interface ElasticError {
  readonly type: string
  readonly reason: string
}

const oneLine = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim()
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** Elasticsearch quotes the value that it does not take: that is its owner's, and no log's. */
const withoutValue = (reason: string): string => reason.replace(/\.? Preview of field's value: '[^]*'/, "")

/** The error in an item or in an answer's body, with its cause, which says more. */
export const errorIn = (body: unknown): ElasticError | undefined => {
  if (!isRecord(body) || body["error"] === undefined) return undefined
  const error = body["error"]
  if (!isRecord(error)) return { type: "", reason: oneLine(String(error)) }
  const cause = isRecord(error["caused_by"]) ? `: ${String(error["caused_by"]["reason"])}` : ""
  return { type: String(error["type"]), reason: oneLine(`${withoutValue(String(error["reason"]))}${cause}`) }
}

const said = ({ reason, type }: ElasticError): string => (type === "" ? reason : `${type}: ${reason}`)

/** A page that is not Elasticsearch's tells nothing of its indexes. Of what stands before it some answers are known. */
export const notElasticsearch = (address: string, status: number): StoreUnavailable =>
  status >= 500 || status === 408 || status === 429
    ? unavailable(`${address}: HTTP ${status}`)
    : unavailable(
        `${address} is not Elasticsearch: HTTP ${status} has no x-elastic-product header; is there a path or a proxy in between?`,
        late
      )

/** Whether what has failed is a search's index, and not the question. */
export const isIndexGone = (status: number, error: ElasticError | undefined): boolean =>
  status === 404 || error?.type === "index_closed_exception"

/** What an error with that status means, for a request or for an item that is not refused for its own sake. */
export const failureOfStatus = (address: string, status: number, error: ElasticError | undefined): ReadError => {
  const cause = error === undefined ? `HTTP ${status}` : `HTTP ${status}, ${said(error)}`
  if (error?.type === "media_type_header_exception") {
    return unavailable(`${address}: Elasticsearch 9 or later is needed, this is an older one (${cause})`, late)
  }
  // Writes are held, or the disk is full.
  if (error?.type === "cluster_block_exception") return unavailable(`${address}: ${cause}`)
  if (status === 401) return unavailable(`${address} does not accept the credentials (${cause})`, late)
  if (status === 403) return unavailable(`${address} does not allow it to these credentials (${cause})`, late)
  if (status === 404) return defect(`${address}: an index or alias of the search is gone (${cause}); ${wayOut}`)
  if (status === 408 || status === 429 || status >= 500) return unavailable(`${address}: ${cause}`)
  return defect(`${address}: ${cause}`)
}

const countIn = (shards: Readonly<Record<string, unknown>>, name: string): number => Number(shards[name] ?? NaN)

/**
 * Fails unless an answer is that of all shards, in full: where one has failed, is nowhere or was late, Elasticsearch
 * answers with what the others have.
 */
export const whole = (nodes: string, body: unknown): Effect.Effect<void, StoreUnavailable> => {
  if (isRecord(body) && isRecord(body["_shards"])) {
    if (body["timed_out"] === true) return Effect.fail(unavailable(`${nodes}: an answer is not whole: it was late`))
    const [total, successful] = [countIn(body["_shards"], "total"), countIn(body["_shards"], "successful")]
    if (total === successful) return Effect.void
    return Effect.fail(unavailable(`${nodes}: an answer is not whole: ${successful} of ${total} shards answered`))
  }
  return Effect.fail(unavailable(`${nodes}: what answers is no Elasticsearch, or it is cut off`))
}

/** As far as the client's errors are looked into. */
interface ClientError {
  readonly name: string
  readonly message: string
  readonly meta?: {
    readonly statusCode?: number
    readonly headers?: Readonly<Record<string, unknown>> | null
    readonly body?: unknown
    readonly meta?: { readonly connection?: { readonly url?: URL } | null }
  }
}

/** Whether a failure is Elasticsearch's own. To those who may not enter it says so without its header. */
export const isOwnFailure = (status: number, headers: Readonly<Record<string, unknown>> | null | undefined): boolean =>
  headers?.["x-elastic-product"] !== undefined || status === 401 || status === 403

const isClientError = (error: unknown): error is ClientError => error instanceof Error

/** Why there is no connection, with what to look at where it is TLS. */
const connectionReason = (message: string): string => {
  if (/fingerprint/i.test(message)) return "its certificate is not of the CA of ELASTICSEARCH_CA_FINGERPRINT"
  if (/self.signed|unable to (?:get|verify)|certificate/i.test(message)) {
    return `its certificate is not trusted (${message}): ELASTICSEARCH_CA_CERT or ELASTICSEARCH_CA_FINGERPRINT says whom to trust`
  }
  if (/wrong version number|EPROTO/i.test(message)) return "it does not speak TLS: is it http, not https?"
  return message
}

/** A server that wants TLS hangs up on whoever does without. */
export const withTlsHint = (address: string, failure: ReadError): ReadError =>
  address.startsWith("http:") && isCutOff(failure)
    ? unavailable(`${failure.reason}: is it https, not http?`, late)
    : failure

/** Whether a connection broke while it was used: a server or a proxy may do so to a request that is too large for it. */
export const isCutOff = ({ reason }: ReadError): boolean =>
  /cannot be reached: .*(?:EPIPE|ECONNRESET|other side closed|socket hang up)/.test(reason)

/** Whether a request took longer than it may. */
export const isLate = ({ reason }: ReadError): boolean => /: no answer within \d+ ms$/.test(reason)

/** `nodes`: as configured, for what does not name its own address. */
export const failureOf =
  (nodes: string) =>
  (error: unknown): ReadError => {
    if (!isClientError(error)) return defect(`${nodes}: ${oneLine(String(error))}`)
    const address = error.meta?.meta?.connection?.url?.origin ?? nodes
    const message = oneLine(error.message)
    switch (error.name) {
      case "ResponseError":
        return isOwnFailure(error.meta?.statusCode ?? 0, error.meta?.headers)
          ? failureOfStatus(address, error.meta?.statusCode ?? 0, errorIn(error.meta?.body))
          : notElasticsearch(address, error.meta?.statusCode ?? 0)
      case "ConnectionError":
        return unavailable(`${address} cannot be reached: ${connectionReason(message)}`)
      case "NoLivingConnectionsError":
      case "RequestAbortedError":
      case "TimeoutError":
        return unavailable(`${address}: ${message}`)
      case "ProductNotSupportedError":
        return unavailable(`${address} is not Elasticsearch: its answer has no x-elastic-product header`, late)
      case "DeserializationError":
        return unavailable(`${address}: an answer is cut off or is not JSON`)
      default:
        return defect(`${address}: ${oneLine(`${error.name}: ${error.message}`)}`)
    }
  }
