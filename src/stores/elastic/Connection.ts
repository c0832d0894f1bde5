/**
 * The client of an Elasticsearch server or cluster, as long as the scope lasts: every call with
 * a time limit of ours and with its failure translated. A node that cannot be reached is
 * left out for the next one at once; nothing else is tried again here.
 */
import type * as Elasticsearch from "@elastic/elasticsearch"
import type { Client } from "@elastic/elasticsearch"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { parseJson } from "../../domain/Json.ts"
import type { ReadError, StoreDefect } from "../StoreError.ts"
import { defect, failureOf, isOwnFailure, notElasticsearch, unavailable, withTlsHint } from "./Failure.ts"

export type ElasticCredentials =
  | { readonly apiKey: Redacted.Redacted }
  | { readonly username: string; readonly password: Redacted.Redacted }

export interface ElasticConnectionOptions {
  /** `http://host:9200` or `https://…`, at least one, without credentials. */
  readonly nodes: ReadonlyArray<string>
  readonly credentials?: ElasticCredentials | undefined
  /** PEM: whom to trust instead of the system's authorities. */
  readonly caCertificate?: string | undefined
  /** SHA-256 of the authority's certificate, hexadecimal; its pairs may stand apart with colons. */
  readonly caFingerprint?: string | undefined
  /** Of a call that does not name its own, milliseconds; default 5,000. */
  readonly timeoutMillis?: number | undefined
}

export interface ElasticRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE"
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean>> | undefined
  readonly body?: object | undefined
  /**
   * JSON, one value a line, each line ended; instead of `body`. A text, and no bytes: of a request that fails the client
   * makes a copy without its secrets, which of bytes is one by one, seconds long.
   */
  readonly lines?: string | undefined
  readonly timeoutMillis?: number | undefined
  /** Statuses above 399 that are an answer, too. */
  readonly accept?: ReadonlyArray<number> | undefined
}

export interface ElasticAnswer {
  readonly status: number
  readonly body: unknown
}

export class ElasticConnection extends Context.Service<
  ElasticConnection,
  {
    /** For calls with a time limit of their own. */
    readonly client: Client
    /** For messages. */
    readonly nodes: string
    readonly failureOf: (error: unknown) => ReadError
    /** An interruption leaves the call to itself: it may still be carried out. */
    readonly request: (request: ElasticRequest) => Effect.Effect<ElasticAnswer, ReadError>
  }
>()("effect-wallet/stores/elastic/ElasticConnection") {}

/** Milliseconds: no call of ours waits longer, whoever forgot to say how long. */
const longestMillis = 120_000

/** Loaded only where search is on Elasticsearch: the client is large. */
const load = Effect.tryPromise({
  try: () => import("@elastic/elasticsearch"),
  catch: (error) => defect(`the client @elastic/elasticsearch cannot be loaded: ${String(error)}`)
})

const authOf = (credentials: ElasticCredentials) =>
  "apiKey" in credentials
    ? { apiKey: Redacted.value(credentials.apiKey) }
    : { username: credentials.username, password: Redacted.value(credentials.password) }

const originOf = (node: string): string => (URL.canParse(node) ? new URL(node).origin : "an address that is no URL")

type ElasticModule = typeof Elasticsearch

/** The client's own, but that names of documents, metadata's too, are read as `parseJson` does. */
const serializerOf = ({ errors, Serializer }: ElasticModule) =>
  class extends Serializer {
    override deserialize<T = unknown>(json: string): T {
      try {
        return parseJson(json) as T
      } catch (error) {
        throw new errors.DeserializationError(error instanceof Error ? error.message : String(error), json)
      }
    }
  }

const open = (
  module: ElasticModule,
  options: ElasticConnectionOptions,
  nodes: string
): Effect.Effect<Client, StoreDefect> =>
  Effect.try({
    try: () =>
      new module.Client({
        nodes: [...options.nodes],
        ...(options.credentials !== undefined && { auth: authOf(options.credentials) }),
        ...(options.caFingerprint === undefined
          ? options.caCertificate !== undefined && { tls: { ca: options.caCertificate } }
          : // The fingerprint takes the place of the chain's check.
            { caFingerprint: options.caFingerprint, tls: { rejectUnauthorized: false } }),
        requestTimeout: longestMillis,
        // Only to the other nodes, each once: a retry here knows nothing of bulks.
        maxRetries: options.nodes.length - 1,
        enableMetaHeader: false,
        Serializer: serializerOf(module)
      }),
    // The client's own message may quote an address with its password.
    catch: () =>
      defect(`no client can be made for ${nodes}: are the addresses, the certificate and the fingerprint in order?`)
  })

export const make = Effect.fnUntraced(function* (
  options: ElasticConnectionOptions
): Effect.fn.Return<ElasticConnection["Service"], StoreDefect, Scope.Scope> {
  const module = yield* load
  const nodes = options.nodes.map(originOf).join(", ")
  const client = yield* Effect.acquireRelease(open(module, options, nodes), (client) =>
    Effect.ignore(Effect.tryPromise(() => client.close()))
  )
  let hasAnswered = false
  const translated = failureOf(nodes)
  const failure = (error: unknown): ReadError =>
    hasAnswered ? translated(error) : withTlsHint(nodes, translated(error))
  const request = ({ accept = [], body, lines, method, path, query, timeoutMillis }: ElasticRequest) => {
    const limit = timeoutMillis ?? options.timeoutMillis ?? 5_000
    return Effect.tryPromise({
      try: (signal) =>
        client.transport.request(
          {
            method,
            path,
            ...(query !== undefined && { querystring: { ...query } }),
            ...(body !== undefined && { body }),
            ...(lines !== undefined && { bulkBody: lines })
          },
          { meta: true, ignore: [...accept], signal }
        ),
      catch: failure
    }).pipe(
      Effect.flatMap(({ body, headers, statusCode }): Effect.Effect<ElasticAnswer, ReadError> => {
        hasAnswered = true
        // Too large: that Elasticsearch says as a proxy does.
        return statusCode < 400 || statusCode === 413 || isOwnFailure(statusCode, headers)
          ? Effect.succeed({ status: statusCode, body })
          : Effect.fail(notElasticsearch(nodes, statusCode))
      }),
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(unavailable(`${nodes}: no answer within ${limit} ms`))
      })
    )
  }
  return { client, nodes, failureOf: failure, request }
})

export const layer = (options: ElasticConnectionOptions): Layer.Layer<ElasticConnection, StoreDefect> =>
  Layer.effect(ElasticConnection, make(options))
