/** Handler of a wallet's statement: JSON by pages; CSV by pages, or in one piece as it is read. */
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import { defaultLimit } from "../api/SchemaValues.ts"
import { failureReply, internalError, plainReply, replied, toResponse, transactionJson } from "../HttpReply.ts"
import type { Statement, StatementQuery, TransactionDetails, WalletEngine } from "../../engine/WalletEngine.ts"

type Engine = WalletEngine["Service"]

interface StatementRequest {
  readonly request: HttpServerRequest
  readonly params: { readonly id: string }
  readonly query: Omit<StatementQuery, "walletId" | "limit"> & { readonly limit?: number }
}

const statementJson = ({ closingBalance, data, next, openingBalance, totals }: Statement) => ({
  openingBalance: openingBalance.toString(),
  closingBalance: closingBalance.toString(),
  totals: Object.fromEntries(Object.entries(totals).map(([type, sum]) => [type, sum.toString()])),
  data: data.map(transactionJson),
  next
})

/** The quality that an `Accept` gives to a type; the most special range of its that names it counts. */
const qualityOf = (accept: string, type: string): number => {
  const [family] = type.split("/")
  let best = { rank: -1, quality: 0 }
  for (const range of accept.split(",")) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase())
    const rank = [`*/*`, `${family}/*`, type].indexOf(name)
    if (rank <= best.rank) continue
    const weight = parameters.find((parameter) => parameter.startsWith("q="))
    const quality = weight === undefined ? 1 : Number(weight.slice(2))
    best = { rank, quality: Number.isFinite(quality) ? quality : 0 }
  }
  return best.quality
}

/** JSON unless CSV is preferred: also for whoever takes anything. */
export const prefersCsv = (accept: string | undefined): boolean =>
  accept !== undefined && qualityOf(accept, "text/csv") > qualityOf(accept, "application/json")

const columns = [
  "id",
  "walletId",
  "type",
  "amount",
  "balanceAfter",
  "currency",
  "reference",
  "metadata",
  "holdId",
  "transferId",
  "version",
  "createdAt",
  "effectiveAt",
  "refundOf",
  "refunded"
] as const

/** RFC 4180. */
const field = (value: string): string => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)

const cell = (value: unknown): string => {
  if (value === null) return ""
  return field(typeof value === "object" ? JSON.stringify(value) : String(value))
}

const rowText = (transaction: TransactionDetails): string => {
  const json = transactionJson(transaction)
  return `${columns.map((name) => cell(json[name])).join(",")}\r\n`
}

const headText = `${columns.join(",")}\r\n`

const csv = "text/csv; charset=utf-8"

const balances = ({ closingBalance, openingBalance }: Pick<Statement, "openingBalance" | "closingBalance">) => ({
  "opening-balance": openingBalance.toString(),
  "closing-balance": closingBalance.toString()
})

/** The same request with that cursor, relative to its host. */
const linkTo = (url: string, cursor: string): string => {
  const [path = "", search = ""] = url.split("?")
  const parameters = new URLSearchParams(search)
  parameters.set("cursor", cursor)
  return `<${path}?${parameters}>; rel="next"`
}

const csvPage = (url: string, statement: Statement) =>
  HttpServerResponse.text(headText + statement.data.map(rowText).join(""), {
    contentType: csv,
    headers: Headers.fromInput({
      ...balances(statement),
      ...(statement.next === null ? {} : { link: linkTo(url, statement.next) })
    })
  })

const encoder = new TextEncoder()

/** What fails on the way breaks the connection off: a reader does not take a part for the whole. */
const csvWhole = (statement: Effect.Success<ReturnType<Engine["statementRows"]>>) =>
  HttpServerResponse.stream(
    Stream.concat(
      Stream.succeed(encoder.encode(headText)),
      Stream.map(statement.rows, (rows) => encoder.encode(rows.map(rowText).join("")))
    ),
    { contentType: csv, headers: Headers.fromInput(balances(statement)) }
  )

export const statementHandler =
  (engine: Engine) =>
  ({ params, query, request }: StatementRequest): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
    const { limit, ...span } = query
    const walletId = params.id
    const isWhole = limit === undefined && query.cursor === undefined
    if (!prefersCsv(request.headers["accept"])) {
      const page = engine.statement({ ...span, walletId, limit: limit ?? defaultLimit })
      return Effect.map(replied(Effect.map(page, (found) => plainReply(200, statementJson(found)))), toResponse)
    }
    const found = isWhole
      ? Effect.map(engine.statementRows({ ...span, walletId }), csvWhole)
      : Effect.map(engine.statement({ ...span, walletId, limit: limit ?? defaultLimit }), (one) =>
          csvPage(request.url, one)
        )
    return Effect.catch(found, (failure) => Effect.succeed(toResponse(failureReply(failure) ?? internalError)))
  }
