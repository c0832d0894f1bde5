/** The queries over the API: their form, which is judged here as the engine would, and their answers. */
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { InvalidRequest } from "../domain/Rejection.ts"
import { readPublicData } from "../domain/PublicEvent.ts"
import { spanOf } from "../domain/BookDates.ts"
import type {
  EngineBooks,
  EngineHealth,
  EngineQueries,
  EngineTransfers,
  StatementQuery,
  StatementRead,
  ToldEvent,
  WalletMoment
} from "../engine/EngineApi.ts"
import {
  asked,
  wrongEvents,
  wrongHolds,
  wrongId,
  wrongMoment,
  wrongRead,
  wrongStatement,
  wrongTransactions,
  wrongTransfers
} from "../engine/QueryForm.ts"
import { ClusterJson, HealthJson } from "../http/api/OperationsSchemas.ts"
import {
  EventPage,
  FeedHead,
  HoldJson,
  HoldPage,
  StatementPage,
  TransactionJson,
  TransactionPage,
  TransferJson,
  TransferPage,
  WalletJson
} from "../http/api/Schemas.ts"
import { EventUnreadable } from "../stores/StoreError.ts"
import type { FailureOf, FailureTag } from "./RemoteCalls.ts"
import { commandFailures, given } from "./RemoteCommand.ts"
import type { Asked } from "./RemoteFailures.ts"
import { type RemoteService, whole } from "./RemoteService.ts"

/** What everything that is read can fail with. */
export const lookFailures = ["RateLimited", "StoreUnavailable", "StoreDefect", "AccessDenied"] as const
const listFailures = [...lookFailures, "InvalidRequest"] as const
export const readFailures = [...listFailures, "WalletNotFound", "EventUnreadable"] as const

/** A page of a statement in one piece. */
const statementRows = 200

type Send = Effect.Effect<HttpClientResponse.HttpClientResponse, unknown, Scope.Scope>

/** Of a read that waits for a version. `-1`: whatever there is, which is to ask for none. */
const minVersionOf = (minVersion: number | undefined) => (minVersion === -1 ? undefined : minVersion)

export const reading =
  ({ ask }: RemoteService) =>
  <A, Tag extends FailureTag>(
    schema: Schema.ConstraintDecoder<A>,
    failures: ReadonlyArray<Tag>,
    asked: Partial<Asked>,
    send: Send
  ): Effect.Effect<A, FailureOf<Tag>> => {
    const decode = Schema.decodeUnknownEffect(schema)
    return ask({ asked: { walletId: "", ...asked }, isCommand: false, send, failures, read: (json) => decode(json) })
  }

const checked = <A, E>(detail: string | undefined, read: Effect.Effect<A, E>): Effect.Effect<A, E | InvalidRequest> =>
  detail === undefined ? read : Effect.fail(new InvalidRequest({ detail }))

const walletQueries = (service: RemoteService): Pick<EngineQueries, "getWallet" | "walletAt"> => {
  const { client } = service
  const read = reading(service)
  const walletAt = (moment: WalletMoment): ReturnType<EngineQueries["walletAt"]> => {
    const { walletId } = moment
    const query = "at" in moment ? { at: moment.at } : { atVersion: moment.atVersion }
    return read(
      WalletJson,
      commandFailures,
      { walletId },
      client.wallets.get({ params: { id: walletId }, query, ...whole })
    )
  }
  return {
    getWallet: asked(wrongRead, ({ effectiveAt, minVersion, walletId }) =>
      read(
        WalletJson,
        [...commandFailures, "RateLimited", "VersionNotReached"],
        { walletId, minVersion },
        client.wallets.get({
          params: { id: walletId },
          query: given({ effectiveAt, minVersion: minVersionOf(minVersion) }),
          ...whole
        })
      )
    ),
    // What is in the future is for the service's clock to say.
    walletAt: asked((moment) => wrongMoment(moment, Number.POSITIVE_INFINITY), walletAt)
  }
}

/** What an event was, by what is shown of it. */
const toldEvent = (
  walletId: string,
  { data, time, type, version }: (typeof EventPage.Type)["data"][number]
): Effect.Effect<ToldEvent, EventUnreadable> => {
  const event = readPublicData(type, data)
  return Result.isSuccess(event)
    ? Effect.succeed({ walletId, version, time, event: event.success })
    : Effect.fail(new EventUnreadable({ walletId, version, type, reason: event.failure }))
}

const listQueries = (
  service: RemoteService
): Pick<EngineQueries, "events" | "transactions" | "transaction" | "holds" | "hold"> => {
  const { client } = service
  const read = reading(service)
  return {
    events: asked(wrongEvents, ({ after, limit, walletId }) =>
      Effect.flatMap(
        read(
          EventPage,
          readFailures,
          { walletId },
          client.wallets.events({
            params: { id: walletId },
            query: after === -1 ? { limit } : { after, limit },
            ...whole
          })
        ),
        ({ data }) => Effect.forEach(data, (event) => toldEvent(walletId, event))
      )
    ),
    transactions: asked(wrongTransactions, ({ cursor, from, limit, minVersion, to, type, walletId }) =>
      read(
        TransactionPage,
        [...readFailures, "VersionNotReached"],
        { walletId, minVersion },
        client.wallets.transactions({
          params: { id: walletId },
          query: given({ cursor, from, limit, minVersion: minVersionOf(minVersion), to, type }),
          ...whole
        })
      )
    ),
    transaction: (transactionId) =>
      checked(
        wrongId(transactionId),
        read(
          TransactionJson,
          [...listFailures, "TransactionNotFound"],
          { transactionId },
          client.transactions.get({ params: { id: transactionId }, query: {}, ...whole })
        )
      ),
    holds: asked(wrongHolds, ({ cursor, limit, minVersion, status, walletId }) =>
      read(
        HoldPage,
        [...readFailures, "VersionNotReached"],
        { walletId, minVersion },
        client.holds.list({
          params: { id: walletId },
          query: given({ cursor, limit, minVersion: minVersionOf(minVersion), status }),
          ...whole
        })
      )
    ),
    hold: (walletId, holdId) =>
      checked(
        wrongId(walletId) ?? wrongId(holdId),
        read(
          HoldJson,
          [...readFailures, "HoldNotFound"],
          { walletId, holdId },
          client.holds.get({ params: { id: walletId, holdId }, query: {}, ...whole })
        )
      )
  }
}

export const transferQueries = (service: RemoteService): Pick<EngineTransfers, "getTransfer" | "transfers"> => {
  const { client } = service
  const read = reading(service)
  return {
    getTransfer: (transferId) =>
      checked(
        wrongId(transferId, "transferId"),
        read(
          TransferJson,
          [...listFailures, "TransferNotFound"],
          { transferId },
          client.transfers.get({ params: { id: transferId }, query: {}, ...whole })
        )
      ),
    transfers: asked(wrongTransfers, ({ cursor, limit, status, walletId }) =>
      read(
        TransferPage,
        listFailures,
        { walletId: walletId ?? "" },
        client.transfers.list({ query: given({ cursor, limit, status, walletId }), ...whole })
      )
    )
  }
}

/** Its ends are read, and refused, as the engine does. */
const between =
  <Query extends StatementRead, A, E>(ask: (query: Query) => Effect.Effect<A, E>) =>
  (query: Query): Effect.Effect<A, E | InvalidRequest> => {
    const span = spanOf(query)
    return span instanceof InvalidRequest ? Effect.fail(span) : ask(query)
  }

const books = (service: RemoteService): EngineBooks => {
  const read = reading(service)
  const page = ({ cursor, from, limit, minVersion, timezone, to, walletId }: StatementQuery) =>
    read(
      StatementPage,
      [...readFailures, "QueryTooWide", "VersionNotReached"],
      { walletId, minVersion },
      service.client.wallets.statement({
        params: { id: walletId },
        query: given({ cursor, from, limit, minVersion: minVersionOf(minVersion), timezone, to }),
        ...whole
      })
    )
  /** Of the pages behind the first. What is no longer there, or too much, is as if the store had it no more. */
  const next = (query: StatementRead, cursor: string) =>
    reading(service)(
      StatementPage,
      lookFailures,
      { walletId: query.walletId },
      service.client.wallets.statement({
        params: { id: query.walletId },
        query: given({ cursor, from: query.from, limit: statementRows, timezone: query.timezone, to: query.to }),
        ...whole
      })
    )
  return {
    statement: asked(wrongStatement, between(page)),
    statementRows: asked(
      wrongStatement,
      between((query: StatementRead) =>
        Effect.map(page({ ...query, limit: statementRows }), (first) => ({
          openingBalance: first.openingBalance,
          closingBalance: first.closingBalance,
          rows: Stream.concat(
            Stream.make(first.data),
            Stream.unfold(first.next, (cursor) =>
              cursor === null
                ? Effect.undefined
                : Effect.map(next(query, cursor), (found) => [found.data, found.next] as const)
            )
          ).pipe(Stream.filter((rows) => rows.length > 0))
        }))
      )
    )
  }
}

const healthNames: ReadonlySet<string> = new Set<EngineHealth["checks"][number]["name"]>([
  "log",
  "ownership",
  "persistence",
  "readModel",
  "clock",
  "webhooks"
])

const isCheck = (check: (typeof HealthJson.Type)["checks"][number]): check is EngineHealth["checks"][number] =>
  healthNames.has(check.name)

/** One attempt: whoever asks for it wants to know how things are now. */
const healthOf = (service: RemoteService): EngineQueries["health"] => {
  const decode = Schema.decodeUnknownEffect(HealthJson)
  const down = (detail: string): EngineHealth => ({
    ready: false,
    checks: [{ name: "service", status: "down", detail }]
  })
  return service.client.health.ready({ ...whole }).pipe(
    Effect.flatMap((response) => Effect.flatMap(response.json, decode)),
    Effect.map(({ checks, status }) => ({ ready: status !== "down", checks: checks.filter(isCheck) })),
    Effect.scoped,
    Effect.timeoutOrElse({
      duration: service.settings.attemptMillis,
      orElse: () => Effect.succeed(down("the service does not answer"))
    }),
    Effect.catch(() => Effect.succeed(down("the service does not answer as it should")))
  )
}

type Queries = Pick<
  EngineQueries,
  keyof ReturnType<typeof walletQueries> | keyof ReturnType<typeof listQueries> | keyof EngineBooks
> &
  Pick<EngineQueries, "cluster" | "health" | "feedHead">

export const makeQueries = (service: RemoteService): Queries => {
  const read = reading(service)
  return {
    ...walletQueries(service),
    ...listQueries(service),
    ...books(service),
    feedHead: Effect.map(
      read(FeedHead, lookFailures, {}, service.client.feed.head({ query: {}, ...whole })),
      ({ position }) => position
    ),
    health: healthOf(service),
    cluster: read(ClusterJson, lookFailures, {}, service.client.cluster.view({ query: {}, ...whole }))
  }
}
